// The journal's own errors. The replica site maps their codes to those of its API.

/**
 * - `CORRUPT`: stored bytes fail their check; `place` says where. None of them is served.
 * - `DAMAGED`: the position needs damaged or lost data; `place` says where. Other positions open.
 * - `TRIMMED`: the position's UNDO was dropped.
 * - `BEYOND_DURABLE`: the position isn't durable yet.
 * - `OUT_OF_RANGE`: an offset, length or other number is outside its limits.
 * - `OUT_OF_ORDER`: a record doesn't follow the one before it.
 * - `SIZE_MISMATCH`: the folder holds a volume of another size.
 * - `FAILED`: the files failed earlier; close the journal and open it again.
 * - `STALLED`: a file can't be written or read now; `cause` is the system's error. Nothing durable
 *   is lost; the journal retries.
 * - `CLOSED`: the journal or image is closed.
 */
export type JournalErrorCode =
  | 'CORRUPT'
  | 'DAMAGED'
  | 'TRIMMED'
  | 'BEYOND_DURABLE'
  | 'OUT_OF_RANGE'
  | 'OUT_OF_ORDER'
  | 'SIZE_MISMATCH'
  | 'FAILED'
  | 'STALLED'
  | 'CLOSED';

/**
 * Where stored bytes are wrong: byte `offset` of the file, where the record of `position` should
 * be.
 */
export interface CorruptPlace {
  readonly file: string;
  readonly offset: number;
  readonly position: number;
}

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;
  readonly place: CorruptPlace | undefined;

  constructor(
    code: JournalErrorCode,
    message: string,
    details: { readonly place?: CorruptPlace; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.place = details.place;
  }
}

/** The error for stored bytes that fail their check. */
export function corrupt(what: string, place: CorruptPlace): JournalError {
  return new JournalError('CORRUPT', `${what} in ${place.file} at byte ${place.offset} (position ${place.position})`, {
    place,
  });
}
