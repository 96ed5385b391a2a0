// Checks a record before it gets a position.
import { JournalError } from '../terms/errors.js';
import { REASON_LENGTH_MAX, WRITE_BYTES_MAX } from '../terms/types.js';
import type { NewRecord } from '../terms/types.js';

const UINT32_MAX = 0xffff_ffff;

/** @throws JournalError OUT_OF_RANGE */
export function assertRecord(record: NewRecord, sizeBytes: number): void {
  const stamped =
    isInteger(record.session, 0, UINT32_MAX) &&
    isInteger(record.epoch, 0, UINT32_MAX) &&
    isInteger(record.n, 1, Number.MAX_SAFE_INTEGER) &&
    isInteger(record.timeMs, 0, Number.MAX_SAFE_INTEGER);
  if (!stamped || !fits(record, sizeBytes)) {
    throw new JournalError('OUT_OF_RANGE', `${record.kind} ${record.n} of session ${record.session} is out of range`);
  }
}

function fits(record: NewRecord, sizeBytes: number): boolean {
  switch (record.kind) {
    case 'write':
      return record.data.length <= WRITE_BYTES_MAX && isRange(record.offset, record.data.length, sizeBytes);
    case 'zeroes':
      return isRange(record.offset, record.length, sizeBytes);
    case 'initBegin':
      return isInteger(record.sinceMs, 0, Number.MAX_SAFE_INTEGER) && record.reason.length <= REASON_LENGTH_MAX;
    case 'initEnd':
      return true;
  }
}

function isRange(offset: number, length: number, sizeBytes: number): boolean {
  return isInteger(offset, 0, sizeBytes) && isInteger(length, 1, sizeBytes - offset);
}

function isInteger(value: number, from: number, to: number): boolean {
  return Number.isSafeInteger(value) && value >= from && value <= to;
}
