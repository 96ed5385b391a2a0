// Checks a batch's input before a workflow exists: form, size, and whether its window is possible.
import { windowOf } from '../../control/clock/window.js';
import {
  BATCH_INPUT_BYTES_MAX,
  batchInputSchema,
  type BatchInput,
  type ParsedBatchInput,
} from '../../contracts/batch.js';
import { invalidField, type MoverError, parseOrRefuse } from '../../contracts/errors.js';

/**
 * Checks an input. @throws MoverError INVALID_REQUEST naming every field at fault: wrong form, too
 * large, unknown time zone, window too short
 */
export function checkBatchInput(given: BatchInput, nowMs: number): ParsedBatchInput {
  // Check the size first: a list makes an input large, and its entries' faults would hide that.
  refuseLarge(given);
  const input = parseOrRefuse(batchInputSchema, given, 'batch');
  refuseWindow(input, nowMs);
  return input;
}

function refuseLarge(given: BatchInput): void {
  const bytes = Buffer.byteLength(JSON.stringify(given));
  if (bytes <= BATCH_INPUT_BYTES_MAX) return;
  throw refused(
    'moves',
    `the input has ${bytes} bytes of JSON, and at most ${BATCH_INPUT_BYTES_MAX} are kept in a history. Select the volumes by "select" (from, name, vm, labels) instead of listing them`,
  );
}

function refuseWindow({ options: { window, expectedMoveMs } }: ParsedBatchInput, nowMs: number): void {
  if (window === undefined) return;
  const { opensAtMs, closesAtMs } = windowOf(window, nowMs);
  const lengthMs = closesAtMs - opensAtMs;
  if (expectedMoveMs <= lengthMs) return;
  throw refused(
    'options.expectedMoveMs',
    `a move is expected to last ${expectedMoveMs} ms, longer than the window is open (${lengthMs} ms)`,
  );
}

function refused(subject: string, message: string): MoverError {
  return invalidField(subject, message, `batch is not accepted: ${subject}: ${message}.`);
}
