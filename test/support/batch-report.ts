// Batches that ended, made up for the tests of their reports.
import type { BatchMoveReport } from '../../client/batches/batch-moves.js';
import type { Batch } from '../../client/batches/batch-client.js';
import { type BatchReport, batchReportSchema } from '../../contracts/batch.js';
import { groupIdSchema, moveIdSchema, volumeIdSchema } from '../../contracts/ids.js';

export const BEGAN_MS = Date.UTC(2026, 10, 23, 22);
export const BATCH_ID = 'weekend@0f0e0d0c-0b0a-4908-8706-050403020100';

export interface MadeMove extends Partial<Omit<BatchMoveReport, 'volumes' | 'from' | 'to' | 'move'>> {
  readonly volumes?: readonly string[];
  readonly from?: string;
  readonly to?: string;
}

export function madeMove(seq: number, made: MadeMove = {}): BatchMoveReport {
  const { volumes = [`vm-${seq}-disk-0`], from = 'cg-gold', to = 'cg-silver', ...rest } = made;
  const startedAtMs = BEGAN_MS + seq * 1_000;
  return {
    seq,
    outcome: 'moved',
    tries: 1,
    sizeBytes: 1024 ** 3,
    move: moveIdSchema.parse(`weekend/${seq}@00000000-0000-4000-8000-000000000000`),
    startedAtMs,
    endedAtMs: startedAtMs + 2_000,
    ...rest,
    volumes: volumes.map((volume) => volumeIdSchema.parse(volume)),
    from: groupIdSchema.parse(from),
    to: groupIdSchema.parse(to),
  };
}

export function failedMove(seq: number, message: string, made: MadeMove = {}): BatchMoveReport {
  const problem = { code: 'GROUP_FULL', message, action: 'Move a volume out of it.' } as const;
  return madeMove(seq, { outcome: 'failed', tries: 2, problem, ...made });
}

export function madeBatch(report: Partial<BatchReport> = {}): Batch {
  const endedAtMs = BEGAN_MS + 3_600_000;
  const [workflowId = '', runId = ''] = BATCH_ID.split('@');
  return {
    batchId: moveIdSchema.parse(BATCH_ID),
    workflowId,
    runId,
    url: undefined,
    state: 'complete',
    startedAtMs: BEGAN_MS,
    endedAtMs,
    report: {
      ...batchReportSchema.parse({
        batch: BATCH_ID,
        outcome: 'complete',
        summary: 'Every move of the batch has ended: 2 of 3 moved, 1 failed.',
        counts: {
          planned: 3,
          waiting: 0,
          running: 0,
          moved: 2,
          failed: 1,
          cancelled: 0,
          alreadyThere: 0,
          skipped: 0,
          refused: 0,
        },
        failures: [],
        leftOut: [],
        addedMeanwhile: [],
        removedMeanwhile: [],
        startedAtMs: BEGAN_MS,
        endedAtMs,
        runs: 1,
      }),
      ...report,
    },
  };
}
