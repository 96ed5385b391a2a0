// Maps a journal's failures to the errors of the replica site's API.
import { isOutOfRoom, storageFailure } from '../store/storage-failure.js';
import { isRefusal } from './journal/files/file-refusal.js';
import type { ErrorCode } from '../../contracts/errors.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { JournalError, type JournalErrorCode } from './journal/terms/errors.js';

const CODES: Readonly<Record<JournalErrorCode, ErrorCode>> = {
  CORRUPT: 'CORRUPT',
  DAMAGED: 'POINT_DAMAGED',
  TRIMMED: 'POINT_TRIMMED',
  BEYOND_DURABLE: 'POINT_UNAVAILABLE',
  OUT_OF_RANGE: 'INVALID_REQUEST',
  OUT_OF_ORDER: 'INTERNAL',
  SIZE_MISMATCH: 'CORRUPT',
  FAILED: 'INTERNAL',
  STALLED: 'STORAGE_FAILED',
  CLOSED: 'SHUTTING_DOWN',
};

/**
 * The API's error for a failure of a journal or its files. Any other error is returned unchanged.
 */
export function failureOfJournal(volume: VolumeId, error: unknown): unknown {
  const refusal = error instanceof JournalError && error.code === 'STALLED' ? error.cause : error;
  if (isRefusal(refusal)) {
    return isOutOfRoom(refusal)
      ? storageFailure(refusal.path ?? `the journal of volume "${volume}"`, refusal)
      : new MoverError('STORAGE_FAILED', `Journal of volume "${volume}": ${refusal.message}.`, { cause: refusal });
  }
  if (!(error instanceof JournalError)) return error;
  return new MoverError(CODES[error.code], `Journal of volume "${volume}": ${error.message}.`, { cause: error });
}
