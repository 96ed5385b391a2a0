// One measurement: all volumes by one batch, or as many workflows of five no-op activities, as many
// of them at once.
import { randomUUID } from 'node:crypto';
import { parseMoveId } from '../../client/moves/move-id.js';
import { type BatchReport, batchReportSchema } from '../../contracts/batch.js';
import type { GroupId } from '../../contracts/ids.js';
import { type BatchOptions, measureBatch } from '../moves/batch.js';
import type { Work } from '../moves/work.js';
import type { GroupPair } from './batch-estate.js';
import { type MemorySeries, watchMemory } from './memory.js';
import { type ParentRun, parentRunsOf } from './parent-runs.js';
import type { Stand } from './stand.js';

/** Moves, or no-op workflows, at once. */
export const CONCURRENCY = 50;
/**
 * How many times as often as the largest size a smaller one is measured at most: its run is short,
 * and chance weighs more in it.
 */
export const OFTENER_MAX = 3;
const WARM_UP_CONCURRENCY = 20;

export interface Measured {
  readonly ms: number;
  readonly perSecond: number;
  /** CPU time by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Cores that others on this machine kept busy meanwhile: the noise. */
  readonly othersCores: number;
  readonly memory: MemorySeries;
}

export interface MeasuredBatch extends Measured {
  readonly counts: BatchReport['counts'];
  /** The first ones. */
  readonly failures: BatchReport['failures'];
  readonly parentRuns: readonly ParentRun[];
}

/** Every repetition takes the volumes to the other group of their pair. */
export type Direction = 'there' | 'back';

/**
 * Takes the warm-up volumes there, and runs as many no-op workflows.
 * @throws Error when one fails
 */
export async function warmUp(stand: Stand): Promise<void> {
  const { outcome, summary } = await runBatch(stand, stand.warmUpPairs, 'there', WARM_UP_CONCURRENCY);
  if (outcome !== 'complete') throw new Error(`The warm-up ended as ${outcome}: ${summary}`);
  await measureBatch(stand, stand.noop, { concurrency: WARM_UP_CONCURRENCY, count: stand.warmUpVolumes });
}

/** @throws Error when the batch ends before every move was tried */
export async function measureMoves(stand: Stand, volumes: number, direction: Direction): Promise<MeasuredBatch> {
  const reports: BatchReport[] = [];
  const work = async (): Promise<void> => {
    reports.push(await runBatch(stand, stand.pairs, direction, CONCURRENCY));
  };
  const measured = await measure(stand, work, { concurrency: 1, count: 1 }, volumes);
  const [report] = reports;
  if (report?.outcome !== 'complete') throw new Error(`The batch ended as ${report?.outcome}: ${report?.summary}`);
  const { workflowId } = parseMoveId(report.batch);
  const { counts, failures, runs } = report;
  return { ...measured, counts, failures, parentRuns: await parentRunsOf(stand.temporal, workflowId, runs) };
}

/** Started one by one by this process, a new one when one has ended. */
export async function measureNoops(stand: Stand, count: number): Promise<Measured> {
  return await measure(stand, stand.noop, { concurrency: CONCURRENCY, count }, count);
}

async function measure(stand: Stand, work: Work, options: BatchOptions, count: number): Promise<Measured> {
  const watch = watchMemory(stand.processes);
  try {
    const { ms, cpuMs, othersCores } = await measureBatch(stand, work, options);
    return { ms, perSecond: (count * 1_000) / ms, cpuMs, othersCores, memory: watch.series() };
  } finally {
    watch.stop();
  }
}

async function runBatch(
  { mover, temporal }: Stand,
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
  // By the workflow's id alone: the result is that of its last run.
  return batchReportSchema.parse(await temporal.workflow.getHandle(workflowId).result());
}
