// This file's job is to say what can go wrong between a device and an edge.

/** What a caller may do about an error. */
export type FaultKind =
  /** The edge or the way to it is down: try again later. */
  | 'unavailable'
  /** The device token is not valid any more. */
  | 'token'
  /** The edge has no such channel or blob. */
  | 'unknown'
  /** The edge refused the request: a bug or a wrong setting. */
  | 'refused'
  /** Bytes or an answer are not what they have to be. */
  | 'corrupt';

/** Why the client could not go on. It never means "no update". */
export class AloftError extends Error {
  override readonly name = 'AloftError';

  constructor(
    readonly kind: FaultKind,
    message: string,
    /** The edge's reason for programs, where it gave one. */
    readonly reason?: string,
    /** How long the edge asks to wait, in seconds. */
    readonly retryAfterS?: number,
  ) {
    super(message);
  }
}

/** Makes an error of whatever was thrown. */
export function asAloftError(thrown: unknown): AloftError {
  if (thrown instanceof AloftError) {
    return thrown;
  }
  return new AloftError('unavailable', thrown instanceof Error ? thrown.message : String(thrown));
}
