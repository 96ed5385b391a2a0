// The journal's own errors: the shell around it maps their codes to what its callers understand.

/**
 * - `CORRUPT`: stored bytes fail their check; `place` names where. Nothing of it is served.
 * - `DAMAGED`: the position needs what is damaged or lost; `place` names where. Others open.
 * - `TRIMMED`: the position's UNDO was dropped.
 * - `BEYOND_DURABLE`: the position isn't durable yet.
 * - `OUT_OF_RANGE`: offset, length or another number outside its limits.
 * - `OUT_OF_ORDER`: a record that doesn't follow the one before it.
 * - `SIZE_MISMATCH`: the folder holds a volume of another size.
 * - `FAILED`: an earlier failure of the files; close the journal and open it again.
 * - `STALLED`: a file can't be written or read now (`cause` tells which). Nothing durable is lost;
 *   it is tried again.
 * - `CLOSED`: the journal or image was closed.
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
 * Where stored bytes are wrong: `offset` in bytes of the file, `position` of the record expected
 * there.
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
