// What Temporal knows of running moves, batches and schedules, for metrics. It is asked when
// metrics are read, and not more often than they change for people.
import type { NativeConnection } from '@temporalio/worker';
import type { SearchStage } from '../contracts/search-attributes.js';
import type { TemporalSettings } from '../control/temporal-settings.js';

/** Age of counts of moves that are shown without asking again, ms. */
const COUNTS_FRESH_MS = 10_000;
/** The same of schedules: each needs a call of its own. */
const SCHEDULES_FRESH_MS = 60_000;
/** Longest wait for all answers, ms: Prometheus waits 10 s for the whole page. */
const ANSWER_MS_MAX = 3_000;
/** Most schedules that are shown, and most of one page of a listing. */
const SCHEDULES_MAX = 200;
const MOVE_WORKFLOW = 'moveVolume';
const BATCH_WORKFLOW = 'moveBatch';

/** The stages of a move that has not ended. */
const RUNNING_STAGES = [
  'planning',
  'queued',
  'ready',
  'paused',
  'flush',
  'fenced',
  'rolling-back',
  'completing-forward',
  'waiting-to-retry',
  'verify',
] as const satisfies readonly SearchStage[];

export interface ScheduleCounts {
  readonly name: string;
  readonly missedCatchUp: number;
  readonly skippedForOverlap: number;
  readonly paused: boolean;
}

export interface TemporalCounts {
  /** Whether Temporal answered when it was last asked. */
  readonly isUp: boolean;
  /** Running moves by stage; empty while they are not known. */
  readonly stages: ReadonlyMap<SearchStage, number>;
  readonly batches: number | undefined;
  readonly schedules: readonly ScheduleCounts[];
}

/** Nothing old is shown for the present. */
const UNKNOWN: TemporalCounts = { isUp: false, stages: new Map(), batches: undefined, schedules: [] };

export interface TemporalViewOptions {
  /** Undefined until the worker is connected. */
  readonly connection: () => NativeConnection | undefined;
  readonly namespace: TemporalSettings['namespace'];
}

export class TemporalView {
  readonly #options: TemporalViewOptions;
  #counts = UNKNOWN;
  #countsAtMs = Number.NEGATIVE_INFINITY;
  #schedulesAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TemporalViewOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async look(): Promise<TemporalCounts> {
    const connection = this.#options.connection();
    if (connection === undefined) return UNKNOWN;
    if (performance.now() - this.#countsAtMs < COUNTS_FRESH_MS) return this.#counts;
    try {
      await connection.withDeadline(Date.now() + ANSWER_MS_MAX, async () => this.#ask(connection));
    } catch {
      // The worker's health says why; here it is one number.
      this.#counts = UNKNOWN;
      this.#countsAtMs = Number.NEGATIVE_INFINITY;
      this.#schedulesAtMs = Number.NEGATIVE_INFINITY;
    }
    return this.#counts;
  }

  async #ask({ workflowService }: NativeConnection): Promise<void> {
    const { namespace } = this.#options;
    const count = async (query: string): Promise<number> => {
      const answer = await workflowService.countWorkflowExecutions({ namespace, query });
      return answer.count.toNumber();
    };
    const running = (type: string): string => `WorkflowType = "${type}" AND ExecutionStatus = "Running"`;
    const stages = new Map<SearchStage, number>();
    for (const stage of RUNNING_STAGES)
      stages.set(stage, await count(`${running(MOVE_WORKFLOW)} AND Stage = "${stage}"`));
    const batches = await count(running(BATCH_WORKFLOW));
    const nowMs = performance.now();
    const isStale = nowMs - this.#schedulesAtMs >= SCHEDULES_FRESH_MS;
    const schedules = isStale ? await this.#schedules(workflowService) : this.#counts.schedules;
    if (isStale) this.#schedulesAtMs = nowMs;
    this.#counts = { isUp: true, stages, batches, schedules };
    this.#countsAtMs = nowMs;
  }

  async #schedules(service: NativeConnection['workflowService']): Promise<ScheduleCounts[]> {
    const { namespace } = this.#options;
    const listed = await service.listSchedules({ namespace, maximumPageSize: SCHEDULES_MAX });
    const ours = listed.schedules.filter(({ info }) => info?.workflowType?.name === BATCH_WORKFLOW);
    const described: ScheduleCounts[] = [];
    for (const { scheduleId } of ours) {
      const name = scheduleId ?? '';
      const { info, schedule } = await service.describeSchedule({ namespace, scheduleId: name });
      described.push({
        name,
        missedCatchUp: info?.missedCatchupWindow?.toNumber() ?? 0,
        skippedForOverlap: info?.overlapSkipped?.toNumber() ?? 0,
        paused: schedule?.state?.paused === true,
      });
    }
    return described;
  }
}
