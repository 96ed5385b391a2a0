// Reads the input of a batch, typed by a person or carried over from an earlier run.
import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import {
  BATCH_INPUT_BYTES_MAX,
  type BatchInput,
  batchInputSchema,
  type ParsedBatchInput,
} from '../../contracts/batch.js';
import {
  type BatchSettings,
  batchSettingsSchema,
  type CarriedBatch,
  carriedBatchSchema,
} from '../../contracts/batch-run.js';
import { MoverError, parseOrRefuse, toProblem } from '../../contracts/errors.js';
import { parseInput } from '../shared/parse-input.js';

const EXAMPLE: BatchInput = { select: { from: 'cg-gold' }, to: 'cg-silver' };

export interface Continued {
  readonly settings: BatchSettings;
  readonly carried: CarriedBatch;
}

/**
 * The state carried over from an earlier run; undefined in a batch's first run. A person can't pass
 * it: only a run that continues another one reads it.
 */
export function continuedInput(args: readonly unknown[]): Continued | undefined {
  if (workflowInfo().continuedFromExecutionRunId === undefined || args.length !== 2) return undefined;
  const [settings, carried] = args;
  return {
    settings: parseOrRefuse(batchSettingsSchema, settings, 'settings'),
    carried: parseOrRefuse(carriedBatchSchema, carried, 'carried'),
  };
}

/**
 * Parses a batch's input. @throws ApplicationFailure INVALID_REQUEST (non-retryable), as
 * `parseInput`; also for an input that is too long
 */
export function parseBatchInput(args: readonly unknown[]): ParsedBatchInput {
  const bytes = new TextEncoder().encode(JSON.stringify(args[0]) ?? '').length;
  if (bytes > BATCH_INPUT_BYTES_MAX) {
    const message = `the input has ${bytes} bytes, and Temporal keeps at most ${BATCH_INPUT_BYTES_MAX} of an input. Select the volumes by "select" (from, name, vm, labels) instead of listing them`;
    const error = new MoverError('INVALID_REQUEST', `The input is not accepted: ${message}.`, {
      reasons: [{ code: 'INVALID_REQUEST', subject: 'moves', message }],
    });
    throw ApplicationFailure.nonRetryable(error.message, error.code, { problem: toProblem(error) });
  }
  return parseInput(batchInputSchema, EXAMPLE, args);
}
