// What a worker tells Prometheus of its own: moves by outcome, how long steps take and why they
// fail, and what Temporal knows of running moves and of schedules.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { type StoredMoveReport, storedMoveReportSchema } from '../contracts/report.js';
import type { Families } from '../control/metrics/families.js';
import { Metrics } from '../control/metrics/metrics.js';
import type { TemporalView } from './temporal-view.js';

const MILLISECONDS = 1e3;
/** A step takes a part of a second; one that waits (for a small lag, for a turn) takes hours. */
const STEP_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];
const MOVE_BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200];
const FENCE_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60];

export const WORKER_FAMILIES = {
  volume_mover_moves_total: {
    type: 'counter',
    help: 'Moves that have ended, by outcome: counted by the worker that stored the report.',
    labels: ['outcome'],
  },
  volume_mover_move_seconds: {
    type: 'histogram',
    help: 'From a move’s start to its end, with all that it waited for.',
    labels: ['outcome'],
    buckets: MOVE_BUCKETS,
  },
  volume_mover_move_fenced_seconds: {
    type: 'histogram',
    help: 'From the first splitter’s fence until the last one learned the verdict, of moves that are done.',
    labels: [],
    buckets: FENCE_BUCKETS,
  },
  volume_mover_move_resent_bytes_total: {
    type: 'counter',
    help: 'Bytes that moves had to send again; 0 without faults.',
    labels: [],
  },
  volume_mover_move_rolled_back_attempts_total: {
    type: 'counter',
    help: 'Attempts that were rolled back, also those of moves that then succeeded.',
    labels: [],
  },
  volume_mover_step_seconds: {
    type: 'histogram',
    help: 'One run of a step by this worker.',
    labels: ['step', 'outcome'],
    buckets: STEP_BUCKETS,
  },
  volume_mover_step_failures_total: {
    type: 'counter',
    help: 'Runs of a step that failed, by code. Temporal repeats a run that failed for a retryable reason.',
    labels: ['step', 'code', 'retryable'],
  },
  volume_mover_steps_running: {
    type: 'gauge',
    help: 'Steps that this worker runs now, those that wait included.',
    labels: ['step'],
  },
  volume_mover_moves_running: {
    type: 'gauge',
    help: 'Running moves by stage. All workers tell the same: take the maximum.',
    labels: ['stage'],
  },
  volume_mover_batches_running: {
    type: 'gauge',
    help: 'Running batches. All workers tell the same.',
    labels: [],
  },
  volume_mover_schedule_missed_catchup_total: {
    type: 'counter',
    help: 'Runs of a schedule that were missed, because Temporal was away for longer than the catch-up window.',
    labels: ['schedule'],
  },
  volume_mover_schedule_overlap_skipped_total: {
    type: 'counter',
    help: 'Runs of a schedule that were skipped, because the run before had not ended.',
    labels: ['schedule'],
  },
  volume_mover_schedule_paused: {
    type: 'gauge',
    help: '1 while the schedule is paused, by a person or by a failure.',
    labels: ['schedule'],
  },
  volume_mover_temporal_up: {
    type: 'gauge',
    help: '1 if Temporal answered when it was last asked for running moves and schedules.',
    labels: [],
  },
} as const satisfies Families;

/** The activity that each move runs at its end, whatever its outcome. */
const STORE_REPORT = 'storeReport';
/** Moves that are remembered as counted. */
const COUNTED_MAX = 10_000;

export class WorkerMetrics {
  readonly #metrics: Metrics<typeof WORKER_FAMILIES>;
  readonly #running = new Map<string, number>();
  /** Moves counted last. A workflow task that is repeated stores its report again. */
  readonly #counted = new Set<string>();

  constructor(temporal: Pick<TemporalView, 'look'>) {
    this.#metrics = new Metrics(WORKER_FAMILIES, async (metrics) => {
      metrics.set(
        'volume_mover_steps_running',
        [...this.#running].map(([step, count]) => [{ step }, count] as const),
      );
      const { isUp, stages, batches, schedules } = await temporal.look();
      metrics.setOne('volume_mover_temporal_up', Number(isUp));
      metrics.set(
        'volume_mover_moves_running',
        [...stages].map(([stage, count]) => [{ stage }, count] as const),
      );
      metrics.set('volume_mover_batches_running', batches === undefined ? [] : [[{}, batches]]);
      const named = schedules.map((each) => ({ labels: { schedule: each.name }, ...each }));
      metrics.set(
        'volume_mover_schedule_missed_catchup_total',
        named.map(({ labels, missedCatchUp }) => [labels, missedCatchUp] as const),
      );
      metrics.set(
        'volume_mover_schedule_overlap_skipped_total',
        named.map(({ labels, skippedForOverlap }) => [labels, skippedForOverlap] as const),
      );
      metrics.set(
        'volume_mover_schedule_paused',
        named.map(({ labels, paused }) => [labels, Number(paused)] as const),
      );
    });
    for (const outcome of storedMoveReportSchema.shape.outcome.options)
      this.#metrics.count('volume_mover_moves_total', { outcome }, 0);
  }

  async text(): Promise<string> {
    return this.#metrics.text();
  }

  /** Counts each run of an activity. Give it to the worker. */
  readonly interceptor: ActivityInterceptorsFactory = ({ info: { activityType: step } }) => ({
    inbound: {
      execute: async (input, next) => {
        const beganMs = performance.now();
        this.#add(step, 1);
        const ended = (outcome: string): void => {
          const seconds = (performance.now() - beganMs) / MILLISECONDS;
          this.#metrics.observe('volume_mover_step_seconds', { step, outcome }, seconds);
        };
        try {
          const result: unknown = await next(input);
          ended('ok');
          if (step === STORE_REPORT) this.#stored(input.args[0]);
          return result;
        } catch (error) {
          ended(error instanceof CancelledFailure ? 'cancelled' : 'failed');
          if (error instanceof ApplicationFailure) this.#failed(step, error);
          throw error;
        } finally {
          this.#add(step, -1);
        }
      },
    },
  });

  #add(step: string, count: number): void {
    this.#running.set(step, (this.#running.get(step) ?? 0) + count);
  }

  #failed(step: string, { type, nonRetryable }: ApplicationFailure): void {
    const retryable = String(nonRetryable !== true);
    this.#metrics.count('volume_mover_step_failures_total', { step, code: type ?? 'INTERNAL', retryable });
  }

  #stored(stored: unknown): void {
    const parsed = storedMoveReportSchema.safeParse(stored);
    if (!parsed.success || this.#counted.has(parsed.data.move)) return;
    this.#counted.add(parsed.data.move);
    const [oldest] = this.#counted;
    if (oldest !== undefined && this.#counted.size > COUNTED_MAX) this.#counted.delete(oldest);
    this.#ended(parsed.data);
  }

  #ended({ outcome, startedAtMs, endedAtMs, report, progress }: StoredMoveReport): void {
    const metrics = this.#metrics;
    metrics.count('volume_mover_moves_total', { outcome });
    metrics.observe('volume_mover_move_seconds', { outcome }, Math.max(0, endedAtMs - startedAtMs) / MILLISECONDS);
    const rolledBack = report === undefined ? (progress?.attempt ?? 0) : report.abortedAttempts.length;
    metrics.count('volume_mover_move_rolled_back_attempts_total', {}, rolledBack);
    if (report === undefined) return;
    metrics.observe('volume_mover_move_fenced_seconds', {}, report.fencedMs / MILLISECONDS);
    const resentBytes = report.volumes.reduce((sum, volume) => sum + volume.resentBytes, 0);
    metrics.count('volume_mover_move_resent_bytes_total', {}, resentBytes);
  }
}
