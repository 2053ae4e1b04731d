// This file's job is to pin what people are told when a call fails.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { describeFailure, retryWaitMs, shouldRetry } from '../src/api/failure.js';
import { Reason } from '../src/gen/aloft/v1/errors_pb.js';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../src/gen/google/rpc/error_details_pb.js';

function failureWith(code: Code, reason: string): ConnectError {
  const value = create(ErrorInfoSchema, { reason, domain: 'aloft' });
  return new ConnectError('the words of the server', code, undefined, [{ desc: ErrorInfoSchema, value }]);
}

describe('a failure', () => {
  it('keeps the server’s words and reason, and says what is next', () => {
    const failure = describeFailure(failureWith(Code.Aborted, 'ETAG_MISMATCH'));
    expect(failure).toMatchObject({ message: 'the words of the server', reason: 'ETAG_MISMATCH', passing: false });
    expect(failure.next).toContain('current state');
  });

  it('reads the reason with and without the prefix of the enum', () => {
    expect(describeFailure(failureWith(Code.NotFound, 'REASON_NOT_FOUND')).reason).toBe('NOT_FOUND');
  });

  it('says something of its own for every reason that a caller of this dashboard can meet', () => {
    const fallback = describeFailure(failureWith(Code.Unknown, 'A_REASON_OF_THE_FUTURE')).next;
    const transfer = ['UPLOAD_OFFSET', 'UPLOAD_MISMATCH'];
    const reasons = Object.values(Reason).filter((reason): reason is string => typeof reason === 'string' && reason !== 'UNSPECIFIED');
    expect(reasons.length).toBeGreaterThan(10);
    for (const reason of reasons.filter((name) => !transfer.includes(name))) {
      expect(describeFailure(failureWith(Code.Unknown, reason)).next, reason).not.toBe(fallback);
    }
  });

  it('names the fields that break a rule', () => {
    const value = create(BadRequestSchema, { fieldViolations: [{ field: 'slug', description: 'must not be empty' }] });
    const error = new ConnectError('invalid', Code.InvalidArgument, undefined, [{ desc: BadRequestSchema, value }]);
    expect(describeFailure(error).fields).toEqual([{ field: 'slug', problem: 'must not be empty' }]);
  });

  it('of the network is told apart from one of the server', () => {
    const failure = describeFailure(new TypeError('Failed to fetch'));
    expect(failure.title).toBe('The server cannot be reached');
    expect(failure.passing).toBe(true);
  });

  it('of the credential ends the session', () => {
    expect(describeFailure(failureWith(Code.Unauthenticated, 'CREDENTIAL_INVALID')).signedOut).toBe(true);
    expect(describeFailure(failureWith(Code.PermissionDenied, 'ROLE_INSUFFICIENT')).signedOut).toBe(false);
  });
});

describe('a retry', () => {
  it('is made for a passing failure, a few times', () => {
    const error = failureWith(Code.Unavailable, 'UNAVAILABLE');
    expect([0, 3, 4].map((count) => shouldRetry(count, error))).toEqual([true, true, false]);
  });

  it('is not made for a failure that will stay', () => {
    for (const code of [Code.NotFound, Code.InvalidArgument, Code.Aborted, Code.Unauthenticated, Code.Internal]) {
      expect(shouldRetry(0, new ConnectError('no', code))).toBe(false);
    }
  });

  it('waits as the server asks, else longer each time, within a bound', () => {
    const value = create(RetryInfoSchema, { retryDelay: { seconds: 2n, nanos: 500_000_000 } });
    const asked = new ConnectError('later', Code.Unavailable, undefined, [{ desc: RetryInfoSchema, value }]);
    expect(retryWaitMs(0, asked)).toBe(2_500);
    const silent = new ConnectError('later', Code.Unavailable);
    expect([0, 1, 2, 9].map((count) => retryWaitMs(count, silent))).toEqual([500, 1_000, 2_000, 8_000]);
  });
});
