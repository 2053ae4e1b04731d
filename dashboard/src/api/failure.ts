// This file's job is to turn any failure into what a person needs: what happened, why, and what to do next.
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';

export interface FieldProblem {
  field: string;
  problem: string;
}

export interface Failure {
  title: string;
  /** The server's own words. */
  message: string;
  /** The contract's reason without its prefix, for instance "ETAG_MISMATCH"; empty when there is none. */
  reason: string;
  next: string;
  fields: FieldProblem[];
  /** Whether the same call may work later. */
  passing: boolean;
  /** The server's word on how long to wait. */
  retryAfterMs?: number;
  /** The key is not, or no longer, good. */
  signedOut: boolean;
}

/** How often a call that met a passing failure is repeated before a person is asked. */
const RETRIES_MAX = 4;

/** The longest wait between two tries, so that a person is not left without a word. */
const WAIT_MAX_MS = 8_000;

const UNREACHABLE_NEXT =
  'Check that the server runs and that its address is right. If the dashboard is served from elsewhere, its origin must stand in the server’s allowed_origins.';

const TITLES: Readonly<Partial<Record<Code, string>>> = {
  [Code.InvalidArgument]: 'The server did not accept this',
  [Code.NotFound]: 'Not found',
  [Code.AlreadyExists]: 'This exists already',
  [Code.PermissionDenied]: 'You may not do this',
  [Code.Unauthenticated]: 'You are not signed in',
  [Code.FailedPrecondition]: 'This cannot be done now',
  [Code.Aborted]: 'Somebody else changed this',
  [Code.ResourceExhausted]: 'A limit was reached',
  [Code.Unavailable]: 'The server is not available',
  [Code.DeadlineExceeded]: 'The server took too long',
  [Code.Unimplemented]: 'The server does not know this call',
};

const NEXT_BY_REASON: Readonly<Record<string, string>> = {
  INVALID_FIELD: 'Correct the field and try again.',
  NOT_FOUND: 'It may have been deleted, or your key may not see it. Go back and choose again.',
  ALREADY_EXISTS: 'Choose another name, or use the one that exists.',
  ETAG_MISMATCH: 'The current state has been loaded. Look at it, then decide again.',
  CREDENTIAL_INVALID: 'Sign in with a valid API key.',
  ROLE_INSUFFICIENT: 'Ask an owner or admin of the organization to do it, or to give your key a higher role.',
  UPLOAD_STATE: 'Reload to see where the upload stands.',
  BUNDLE_INVALID: 'Build the bundle again and upload it.',
  BUNDLE_REFUSED: 'Repair what the message names, or let the channel take bundles with warnings.',
  SIGNING_KEY_LOST: 'Store the key anew with `aloft expo key set`, or ask the operator to configure the old master key again.',
  BUNDLE_NOT_READY: 'Wait until the upload is ready, then try again.',
  NO_EARLIER_RELEASE: 'Go back to the embedded bundle instead, or disable the release.',
  IN_USE: 'Remove what uses it first.',
  PAGE_TOKEN_INVALID: 'Reload the page to start from the first entry.',
  UNAVAILABLE: 'Try again in a moment.',
  INTERNAL: 'Try again. If it stays, the server’s log has the cause.',
  REQUEST_ID_REUSED: 'Close this dialog, open it again and repeat.',
  ORGANIZATION_SUSPENDED: 'Ask whoever runs the server why the organization is suspended.',
  QUOTA_EXCEEDED: 'Finish or cancel open uploads, or ask the operator for another plan.',
  RATE_LIMITED: 'Wait a moment, then try again.',
  KEY_ENDED: 'Make a new key.',
  TOKEN_REFUSED: 'Compare the workflow with the trusted publishers.',
  ORIGIN_REFUSED: 'Open the dashboard at the server’s own address.',
  SIGN_UP_CLOSED: 'Ask a member of the organization to invite you.',
  SIGN_IN_FAILED: 'Check the address and the password, or ask for a link that sets a new one.',
  TOO_MANY_ATTEMPTS: 'Wait a while, then try again.',
  LINK_INVALID: 'Ask for a new mail.',
  CODE_INVALID: 'Wait for the next code of the app, use a recovery code, or sign in anew.',
  LOGIN_ENDED: 'Run `aloft login` again.',
  LOGIN_DENIED: 'Run `aloft login` again.',
  LAST_OWNER: 'Make somebody else an owner first.',
  ORGANIZATION_UNCLEAR: 'Ask to be invited to an organization, or sign in again.',
  COUNT_LIMIT: 'Delete what is no longer needed, then try again.',
  SIZE_LIMIT: 'Make it smaller, or ask the operator to raise the limit.',
};

const NEXT_BY_CODE: Readonly<Partial<Record<Code, string>>> = {
  [Code.InvalidArgument]: 'Correct the input and try again.',
  [Code.NotFound]: 'Go back and choose again.',
  [Code.Unauthenticated]: 'Sign in again.',
  [Code.PermissionDenied]: 'Ask an owner or admin of the organization.',
  [Code.Unavailable]: 'Try again in a moment.',
  [Code.DeadlineExceeded]: 'Try again in a moment.',
  [Code.Unimplemented]: 'The dashboard and the server are of different versions: update both.',
};

/** A failed fetch: no answer at all, so nothing is known of the server. */
function isUnreachable(error: ConnectError): boolean {
  return error.cause instanceof TypeError;
}

export function describeFailure(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const unreachable = isUnreachable(error);
  const code = unreachable ? Code.Unavailable : error.code;
  const reason = (error.findDetails(ErrorInfoSchema)[0]?.reason ?? '').replace(/^REASON_/, '');
  const fields = error
    .findDetails(BadRequestSchema)
    .flatMap((detail) => detail.fieldViolations)
    .map(({ field, description }) => ({ field, problem: description }));
  const failure: Failure = {
    title: unreachable ? 'The server cannot be reached' : (TITLES[code] ?? 'Something went wrong'),
    message: unreachable ? 'No answer came back.' : error.rawMessage,
    reason,
    next: unreachable ? UNREACHABLE_NEXT : (NEXT_BY_REASON[reason] ?? NEXT_BY_CODE[code] ?? 'Try again.'),
    fields,
    passing: code === Code.Unavailable || code === Code.DeadlineExceeded,
    signedOut: code === Code.Unauthenticated,
  };
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay) {
    failure.retryAfterMs = Number(delay.seconds) * 1000 + Math.ceil(delay.nanos / 1_000_000);
  }
  return failure;
}

/** Whether to repeat a call on our own after `count` failures. */
export function shouldRetry(count: number, thrown: unknown): boolean {
  return count < RETRIES_MAX && describeFailure(thrown).passing;
}

/** How long to wait before try number `count` + 1: the server's word when it gave one, else doubling from half a second. */
export function retryWaitMs(count: number, thrown: unknown): number {
  return Math.min(describeFailure(thrown).retryAfterMs ?? 500 * 2 ** count, WAIT_MAX_MS);
}
