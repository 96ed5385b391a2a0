// One measurement: all volumes by one batch, or as many workflows of five no-op activities at the
// same concurrency.
import { randomUUID } from 'node:crypto';
import { parseMoveId } from '../../contracts/move-id.js';
import { type BatchReport, batchReportSchema } from '../../contracts/batch.js';
import type { GroupId } from '../../contracts/ids.js';
import { type BatchOptions, measureBatch } from '../moves/batch.js';
import type { Work } from '../moves/work.js';
import type { GroupPair } from './batch-estate.js';
import { type MemorySeries, watchMemory } from './memory.js';
import { type ParentRun, parentRunsOf } from './parent-runs.js';
import type { Testbed } from './testbed.js';

/** Moves or no-op workflows at a time. */
export const CONCURRENCY = 50;
/** Most repetitions of a smaller size per one of the largest: chance weighs more in a short run. */
export const REPETITION_FACTOR_MAX = 3;
const WARM_UP_CONCURRENCY = 20;

export interface Measured {
  readonly ms: number;
  readonly perSecond: number;
  /** CPU time, ms, keyed by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Cores that other processes on this machine kept busy during the measurement: the noise. */
  readonly othersCores: number;
  readonly memory: MemorySeries;
}

export interface MeasuredBatch extends Measured {
  readonly counts: BatchReport['counts'];
  /** The batch report's first failures. */
  readonly failures: BatchReport['failures'];
  readonly parentRuns: readonly ParentRun[];
}

/** Direction of a repetition: each takes the volumes to the other group of their pair. */
export type Direction = 'there' | 'back';

/**
 * Moves the warm-up volumes `there`, and runs as many no-op workflows.
 * @throws Error when one fails
 */
export async function warmUp(testbed: Testbed): Promise<void> {
  const { outcome, summary } = await runBatch(testbed, testbed.warmUpPairs, 'there', WARM_UP_CONCURRENCY);
  if (outcome !== 'complete') throw new Error(`The warm-up ended as ${outcome}: ${summary}`);
  await measureBatch(testbed, testbed.noop, { concurrency: WARM_UP_CONCURRENCY, count: testbed.warmUpVolumes });
}

/** Measures one batch of all volumes. @throws Error when it ends before every move was tried */
export async function measureMoves(testbed: Testbed, volumes: number, direction: Direction): Promise<MeasuredBatch> {
  const reports: BatchReport[] = [];
  const work = async (): Promise<void> => {
    reports.push(await runBatch(testbed, testbed.pairs, direction, CONCURRENCY));
  };
  const measured = await measure(testbed, work, { concurrency: 1, count: 1 }, volumes);
  const [report] = reports;
  if (report?.outcome !== 'complete') throw new Error(`The batch ended as ${report?.outcome}: ${report?.summary}`);
  const { workflowId } = parseMoveId(report.batch);
  const { counts, failures, runs } = report;
  return { ...measured, counts, failures, parentRuns: await parentRunsOf(testbed.temporal, workflowId, runs) };
}

/** Measures no-op workflows. This process starts a new one whenever one has ended. */
export async function measureNoops(testbed: Testbed, count: number): Promise<Measured> {
  return await measure(testbed, testbed.noop, { concurrency: CONCURRENCY, count }, count);
}

async function measure(testbed: Testbed, work: Work, options: BatchOptions, count: number): Promise<Measured> {
  const watch = watchMemory(testbed.processes);
  try {
    const { ms, cpuMs, othersCores } = await measureBatch(testbed, work, options);
    return { ms, perSecond: (count * 1_000) / ms, cpuMs, othersCores, memory: watch.series() };
  } finally {
    watch.stop();
  }
}

async function runBatch(
  { mover, temporal }: Testbed,
  pairs: readonly GroupPair[],
  direction: Direction,
  concurrency: number,
): Promise<BatchReport> {
  const ways = pairs.map(({ first, second }): readonly [GroupId, GroupId] =>
    direction === 'there' ? [first, second] : [second, first],
  );
  const { workflowId } = await mover.batches.start(
    {
      select: { from: ways.map(([from]) => from) },
      map: Object.fromEntries(ways),
      operator: 'bench',
      options: { concurrency: { all: concurrency } },
    },
    { workflowId: `bench-${randomUUID()}` },
  );
  // Found by the workflow id alone: the result is the last run's.
  return batchReportSchema.parse(await temporal.workflow.getHandle(workflowId).result());
}
