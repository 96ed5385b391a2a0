// Schedules of batches, on Temporal Schedules: made, looked at, paused, run out of turn, and mended
// when made by hand in the UI.
import {
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ports } from '../../control/ports.js';
import type { BatchId } from '../../contracts/batch.js';
import { batchInputSchema } from '../../contracts/batch.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { TASK_QUEUE } from '../../contracts/move.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { checkBatchInput } from '../batches/check-input.js';
import { storedBatchReport } from '../batches/stored-batch.js';
import { fromSchedule, isUnanswered } from '../temporal/failure.js';
import { refuseUnknownGroups } from './known-groups.js';
import { refusesAttributes } from '../temporal/start-once.js';
import { adoptedFrom, type AdoptOptions } from './adopt.js';
import { calendarOf } from './calendar.js';
import { actionOf, attributesOf, BATCH_WORKFLOW, policiesOf, unsearchable, workflowIdOf } from './schedule-action.js';
import {
  checkSchedule,
  isTimeZone,
  timeZoneFault,
  type Overlap,
  overlapSchema,
  refusal,
  type ScheduleInput,
} from './schedule-input.js';
import { type ScheduleWarning, warningsOf } from './schedule-warnings.js';
import { specWords } from './spec-words.js';
import { type UiForm, uiFormOf } from './ui-form.js';
import type { TemporalAccess } from '../temporal/connection.js';

export interface ScheduleRun {
  /** Undefined when the workflow id is not one a batch can have. */
  readonly batch: BatchId | undefined;
  readonly workflowId: string;
  readonly scheduledAtMs: number;
  readonly startedAtMs: number;
  /**
   * As the batch's report says; else `running`, `failed`, `cancelled`, `terminated`, `timed-out`,
   * `ended`, or `forgotten` by Temporal.
   */
  readonly outcome: string;
}

export interface ScheduleAction {
  readonly workflowType: string;
  /** Without the time that Temporal appends. */
  readonly workflowId: string;
  readonly taskQueue: string;
  /** A batch's input; anything, when it was made by hand. */
  readonly input: unknown;
}

export interface Schedule {
  readonly name: string;
  /** When it runs, in words. */
  readonly when: string;
  /** Undefined when none is set: then its times are UTC. */
  readonly timeZone?: string;
  readonly paused: boolean;
  /** Why it is paused, or whatever was noted last. */
  readonly note?: string;
  readonly nextRunsMs: readonly number[];
  /** The last ones, newest first. */
  readonly lastRuns: readonly ScheduleRun[];
  readonly runningNow: number;
  readonly overlap: Overlap;
  readonly catchUpMs: number;
  readonly pauseOnFailure: boolean;
  readonly jitterMs: number;
  readonly action: ScheduleAction;
  readonly runs: { readonly started: number; readonly skippedForOverlap: number; readonly missedCatchUp: number };
  readonly createdAtMs: number;
  readonly changedAtMs?: number;
  /** In the Temporal UI; undefined when nobody said where the UI is. */
  readonly url: string | undefined;
  readonly warnings: readonly ScheduleWarning[];
}

export interface ListedSchedules {
  /** By name. */
  readonly schedules: readonly Schedule[];
  /** Schedules of the namespace that could not be read, and why. */
  readonly unreadable: readonly { readonly name: string; readonly message: string }[];
  /**
   * Schedules of the namespace that start no workflow of volume-mover and are not for its workers.
   */
  readonly foreign: number;
}

export interface CreatedSchedule {
  readonly schedule: Schedule;
  /** False when there was one by that name, which is changed now. */
  readonly created: boolean;
  /** False when no appliance answered: whether there are the groups that it names is not known. */
  readonly groupsKnown: boolean;
}

export interface ScheduleRequest {
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

export interface TriggerOptions {
  /** Default: the schedule's own policy. */
  readonly overlap?: Overlap | undefined;
}

export interface Triggered {
  /** `waiting`: it begins when what runs now has ended. */
  readonly result: 'started' | 'skipped' | 'waiting';
  readonly run?: ScheduleRun;
}

export interface BackfillInput extends TriggerOptions {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Adopted {
  readonly schedule: Schedule;
  /** What was wrong before. */
  readonly mended: readonly ScheduleWarning[];
}

/** A backfill starts a batch for each time in it: more than a month of them is a mistake, ms. */
const BACKFILL_MS_MAX = 31 * 86_400_000;
/** How long Temporal may take to say what became of a trigger, ms: commonly under a second. */
const TRIGGER_KNOWN_MS_MAX = 10_000;
const LOOK_EVERY_MS = 100;
/**
 * Longest wait for one description, ms. To the server it is a query of the schedule's own workflow,
 * which a busy server loses now and then; another one is answered at once. 5 s is its own patience.
 */
const DESCRIBE_MS_MAX = 7_000;
const DESCRIBE_ATTEMPTS_MAX = 3;
/** Schedules described at once. */
const DESCRIBED_AT_ONCE = 8;
/** Runs of one schedule that are looked up. */
const LAST_RUNS_SHOWN_MAX = 5;

/** All of them may reject with UNREACHABLE on top of what they name. */
export type ScheduleClient = Pick<Schedules, keyof Schedules>;

export class Schedules {
  readonly #temporal: () => Promise<TemporalAccess>;
  readonly #ports: Ports;

  constructor(temporal: () => Promise<TemporalAccess>, ports: Ports) {
    this.#temporal = temporal;
    this.#ports = ports;
  }

  /**
   * Makes a schedule of batches, or changes the one of that name to be so; whether that one is
   * paused stays. Everything is checked first, the groups only where the estate answers.
   * @throws MoverError INVALID_REQUEST
   */
  async create(given: ScheduleInput): Promise<CreatedSchedule> {
    const input = checkSchedule(given);
    const { client } = await this.#temporal();
    const { name, spec, note, paused } = input;
    const groupsKnown = await refuseUnknownGroups(this.#ports, input.batch);
    let created = true;
    await this.#call(name, async () =>
      searchableIfKnown(async (isKnown) => {
        const definition = {
          spec,
          action: isKnown ? actionOf(input) : unsearchable(actionOf(input)),
          policies: policiesOf(input),
          ...(isKnown ? { typedSearchAttributes: attributesOf(input.batch) } : {}),
        };
        const noted = note === undefined ? {} : { note };
        try {
          await client.schedule.create({ scheduleId: name, ...definition, state: { paused, ...noted } });
        } catch (error) {
          if (!(error instanceof ScheduleAlreadyRunning)) throw error;
          created = false;
          await client.schedule
            .getHandle(name)
            .update(({ state }) => ({ ...definition, state: { ...state, ...noted } }));
        }
      }),
    );
    return { schedule: await this.get(name), created, groupsKnown };
  }

  /**
   * What to type into the Temporal UI to make such a schedule there; makes nothing.
   * @throws MoverError INVALID_REQUEST
   */
  async uiFormFor(given: ScheduleInput): Promise<UiForm> {
    const { name, batch, times, zone } = checkSchedule(given);
    return uiFormOf({
      name,
      action: { workflowType: BATCH_WORKFLOW, workflowId: workflowIdOf(name), taskQueue: TASK_QUEUE, input: batch },
      times,
      timeZone: zone,
      hasMoreTimes: false,
      formUrl: await this.#formUrl(),
    });
  }

  /** As `uiFormFor`, of a schedule that is there. @throws MoverError SCHEDULE_NOT_FOUND */
  async uiForm(name: string): Promise<UiForm> {
    const { spec, action } = await this.#describe(name);
    const { calendars = [], intervals = [], skip = [], startAt, endAt, timezone } = spec;
    return uiFormOf({
      name,
      action: actionSeen(action),
      times: calendars.map(calendarOf),
      timeZone: timezone === undefined || timezone === '' ? 'UTC' : timezone,
      hasMoreTimes: intervals.length + skip.length > 0 || startAt !== undefined || endAt !== undefined,
      formUrl: await this.#formUrl(),
    });
  }

  async list(): Promise<ListedSchedules> {
    const { client } = await this.#temporal();
    const names: string[] = [];
    await this.#call('', async () => {
      for await (const { scheduleId } of client.schedule.list()) names.push(scheduleId);
    });
    const schedules: Schedule[] = [];
    const unreadable: { name: string; message: string }[] = [];
    let foreign = 0;
    const hasWorkers = await this.#hasWorkers();
    const left = names.sort();
    const look = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        try {
          const description = await this.#describe(name);
          if (isOurs(description)) schedules.push(await this.#scheduleOf(description, hasWorkers));
          else foreign += 1;
        } catch (error) {
          // Deleted since it was listed.
          if (error instanceof MoverError && error.code === 'SCHEDULE_NOT_FOUND') continue;
          if (error instanceof MoverError && error.code === 'UNREACHABLE') throw error;
          unreadable.push({ name, message: error instanceof Error ? error.message : String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: DESCRIBED_AT_ONCE }, look));
    return { schedules: schedules.sort((a, b) => (a.name < b.name ? -1 : 1)), unreadable, foreign };
  }

  /** @throws MoverError SCHEDULE_NOT_FOUND */
  async get(name: string): Promise<Schedule> {
    return await this.#scheduleOf(await this.#describe(name), await this.#hasWorkers());
  }

  /**
   * What runs goes on; nothing begins by itself until it is resumed.
   * @throws MoverError SCHEDULE_NOT_FOUND
   */
  async pause(name: string, request: ScheduleRequest = {}): Promise<Schedule> {
    return await this.#change(name, async (handle) => handle.pause(noteOf('Paused', request)));
  }

  /** @throws MoverError SCHEDULE_NOT_FOUND */
  async resume(name: string, request: ScheduleRequest = {}): Promise<Schedule> {
    return await this.#change(name, async (handle) => handle.unpause(noteOf('Resumed', request)));
  }

  /**
   * Runs it once now, paused or not, and says what came of it.
   * @throws MoverError SCHEDULE_NOT_FOUND
   */
  async trigger(name: string, { overlap }: TriggerOptions = {}): Promise<Triggered> {
    const before = await this.#describe(name);
    const policy = parseOrRefuse(overlapSchema, overlap ?? before.policies.overlap ?? 'SKIP', 'overlap');
    const handle = await this.#handle(name);
    await this.#call(name, async () => handle.trigger(policy));
    const known = new Set(before.info.recentActions.map(({ action }) => action.workflow.firstExecutionRunId));
    const giveUpAtMs = performance.now() + TRIGGER_KNOWN_MS_MAX;
    for (;;) {
      const { info } = await this.#describe(name);
      const started = info.recentActions.find(({ action }) => !known.has(action.workflow.firstExecutionRunId));
      if (started !== undefined) return { result: 'started', run: await this.#runOf(started) };
      if (info.numActionsSkippedOverlap > before.info.numActionsSkippedOverlap) return { result: 'skipped' };
      if (performance.now() > giveUpAtMs || (policy.startsWith('BUFFER') && info.runningActions.length > 0))
        return { result: 'waiting' };
      await delay(LOOK_EVERY_MS);
    }
  }

  /**
   * Runs it for each of its times in a past period, at most 31 days, as if that time were now:
   * under SKIP only one while that runs.
   * @throws MoverError SCHEDULE_NOT_FOUND, INVALID_REQUEST
   */
  async backfill(name: string, { fromMs, toMs, overlap }: BackfillInput): Promise<void> {
    if (!(fromMs < toMs)) throw refusal('from', 'is not before "to"');
    if (toMs - fromMs > BACKFILL_MS_MAX) throw refusal('from', `at most ${BACKFILL_MS_MAX / 86_400_000} days at once`);
    const { policies } = await this.#describe(name);
    const policy = parseOrRefuse(overlapSchema, overlap ?? policies.overlap ?? 'SKIP', 'overlap');
    const handle = await this.#handle(name);
    await this.#call(name, async () =>
      handle.backfill({ start: new Date(fromMs), end: new Date(toMs), overlap: policy }),
    );
  }

  /**
   * Mends a schedule that was made by hand: overlap, catch-up, jitter, pause on failure, search
   * attributes and summary. Its times, input, note, and whether it is paused stay.
   * @throws MoverError SCHEDULE_NOT_FOUND; INVALID_REQUEST when it starts no batch that could run:
   * then it has to be made anew
   */
  async adopt(name: string, options: AdoptOptions = {}): Promise<Adopted> {
    const before = await this.get(name);
    refuseForeign(before);
    if (options.timeZone !== undefined && !isTimeZone(options.timeZone))
      throw refusal('timeZone', timeZoneFault(options.timeZone));
    if (options.timeZone !== undefined && before.timeZone !== undefined && before.timeZone !== options.timeZone)
      throw refusal('timeZone', `it has a time zone already, ${before.timeZone}`);
    const handle = await this.#handle(name);
    await this.#call(name, async () =>
      searchableIfKnown(async (isKnown) => handle.update((previous) => adoptedFrom(name, previous, options, isKnown))),
    );
    const schedule = await this.get(name);
    const left = new Set(schedule.warnings.map(({ about }) => about));
    return { schedule, mended: before.warnings.filter(({ about }) => !left.has(about)) };
  }

  /** What runs goes on. @throws MoverError SCHEDULE_NOT_FOUND */
  async delete(name: string): Promise<void> {
    const handle = await this.#handle(name);
    await this.#call(name, async () => handle.delete());
  }

  async #change(name: string, change: (handle: ScheduleHandle) => Promise<void>): Promise<Schedule> {
    const handle = await this.#handle(name);
    await this.#call(name, async () => change(handle));
    return await this.get(name);
  }

  async #handle(name: string): Promise<ScheduleHandle> {
    const { client } = await this.#temporal();
    return client.schedule.getHandle(name);
  }

  async #describe(name: string): Promise<ScheduleDescription> {
    const { client } = await this.#temporal();
    const handle = client.schedule.getHandle(name);
    return await this.#call(name, async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await client.withDeadline(Date.now() + DESCRIBE_MS_MAX, async () => handle.describe());
        } catch (error) {
          if (attempt === DESCRIBE_ATTEMPTS_MAX || !isUnanswered(error)) throw error;
        }
      }
    });
  }

  async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw fromSchedule(error, name);
    }
  }

  async #scheduleOf(description: ScheduleDescription, hasWorkers: boolean | undefined): Promise<Schedule> {
    const { scheduleId: name, spec, policies, state, info, action } = description;
    const { lastUpdatedAt } = info;
    const recent = info.recentActions.slice(-LAST_RUNS_SHOWN_MAX).reverse();
    return {
      name,
      when: specWords(spec),
      ...(spec.timezone === undefined || spec.timezone === '' ? {} : { timeZone: spec.timezone }),
      paused: state.paused,
      ...(state.note === undefined || state.note === '' ? {} : { note: state.note }),
      nextRunsMs: info.nextActionTimes.map((time) => time.getTime()),
      lastRuns: await Promise.all(recent.map(async (run) => this.#runOf(run))),
      runningNow: info.runningActions.length,
      overlap: policies.overlap ?? 'SKIP',
      catchUpMs: policies.catchupWindow,
      pauseOnFailure: policies.pauseOnFailure,
      jitterMs: spec.jitter ?? 0,
      action: actionSeen(action),
      runs: {
        started: info.numActionsTaken,
        skippedForOverlap: info.numActionsSkippedOverlap,
        missedCatchUp: info.numActionsMissedCatchupWindow,
      },
      createdAtMs: info.createdAt.getTime(),
      ...(lastUpdatedAt === undefined ? {} : { changedAtMs: lastUpdatedAt.getTime() }),
      url: await this.#urlOf(name),
      warnings: warningsOf(description, hasWorkers),
    };
  }

  async #runOf({ scheduledAt, takenAt, action: { workflow } }: RecentAction): Promise<ScheduleRun> {
    const { workflowId, firstExecutionRunId } = workflow;
    return {
      batch: batchIdIfAny(workflowId, firstExecutionRunId),
      workflowId,
      scheduledAtMs: scheduledAt.getTime(),
      startedAtMs: takenAt.getTime(),
      outcome: await this.#outcomeOf(workflowId, firstExecutionRunId),
    };
  }

  /** Of the newest run under its id, unless that is of another batch already. */
  async #outcomeOf(workflowId: string, firstRunId: string): Promise<string> {
    const { client } = await this.#temporal();
    try {
      let described = await client.workflow.getHandle(workflowId).describe();
      const { firstRunId: newest } = described.raw.workflowExecutionInfo ?? {};
      if (newest && newest !== firstRunId)
        described = await client.workflow.getHandle(workflowId, firstRunId).describe();
      // One that was cancelled or terminated may have said before how it ended.
      const told = described.typedSearchAttributes.get(SEARCH_KEYS.Outcome);
      const { name: status } = described.status;
      return ENDED_BY_OTHERS.get(status) ?? told ?? ENDED_UNTOLD.get(status) ?? 'ended';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return await this.#storedOutcomeOf(workflowId, firstRunId);
      throw fromSchedule(error, workflowId);
    }
  }

  /** Of a batch whose history is gone; the list is told without it rather than not at all. */
  async #storedOutcomeOf(workflowId: string, firstRunId: string): Promise<string> {
    const batch = batchIdIfAny(workflowId, firstRunId);
    const report = batch === undefined ? undefined : await storedBatchReport(this.#ports, batch).catch(() => undefined);
    return report?.outcome ?? 'forgotten';
  }

  /** Whether anybody takes work now. Not everywhere may everybody ask. */
  async #hasWorkers(): Promise<boolean | undefined> {
    const { client } = await this.#temporal();
    try {
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: TASK_QUEUE },
        taskQueueType: WORKFLOW_QUEUE,
      });
      return (pollers ?? []).length > 0;
    } catch {
      return undefined;
    }
  }

  async #urlOf(name: string): Promise<string | undefined> {
    return await this.#uiUrl(['schedules', name]);
  }

  async #formUrl(): Promise<string | undefined> {
    return await this.#uiUrl(['schedules', 'create']);
  }

  async #uiUrl(path: readonly string[]): Promise<string | undefined> {
    const { client, uiUrl } = await this.#temporal();
    const whole = ['namespaces', client.options.namespace, ...path].map(encodeURIComponent).join('/');
    return uiUrl === undefined ? undefined : `${uiUrl}/${whole}`;
  }
}

/**
 * A namespace that no worker has prepared yet does not know the search attributes: it does without
 * them until it is made again or adopted.
 */
async function searchableIfKnown(make: (isKnown: boolean) => Promise<void>): Promise<void> {
  try {
    await make(true);
  } catch (error) {
    if (!refusesAttributes(error)) throw error;
    await make(false);
  }
}

/** As the server's API numbers it. */
const WORKFLOW_QUEUE = 1;

type RecentAction = ScheduleDescription['info']['recentActions'][number];

/** Whatever the run said of itself before. */
const ENDED_BY_OTHERS: ReadonlyMap<string, string> = new Map([
  ['RUNNING', 'running'],
  ['CANCELLED', 'cancelled'],
  ['TERMINATED', 'terminated'],
]);
/** When the run could not say. */
const ENDED_UNTOLD: ReadonlyMap<string, string> = new Map([
  ['FAILED', 'failed'],
  ['TIMED_OUT', 'timed-out'],
]);

/**
 * Theirs is whatever has nothing to do with our workers: one made by hand with one typing error is
 * ours.
 */
function isOurs({ action }: ScheduleDescription): boolean {
  return action.workflowType === BATCH_WORKFLOW || action.taskQueue === TASK_QUEUE;
}

function actionSeen({ workflowType, workflowId, taskQueue, args }: ScheduleDescription['action']): ScheduleAction {
  return { workflowType, workflowId: workflowId ?? '', taskQueue, input: args?.length === 1 ? args[0] : args };
}

function batchIdIfAny(workflowId: string, firstRunId: string): BatchId | undefined {
  try {
    return moveIdOf(workflowId, firstRunId);
  } catch {
    return undefined;
  }
}

function noteOf(done: string, { operator, reason }: ScheduleRequest): string {
  return `${done}${operator === undefined ? '' : ` by ${operator}`}${reason === undefined ? '' : `: ${reason}`}`;
}

/**
 * Its times, input and state it keeps; what would be wrong about them too is not adopt's to decide.
 */
function refuseForeign({ name, action }: Schedule): void {
  if (action.workflowType !== BATCH_WORKFLOW || action.taskQueue !== TASK_QUEUE)
    throw refusal(
      name,
      `it starts "${action.workflowType}" on task queue "${action.taskQueue}", not "${BATCH_WORKFLOW}" on "${TASK_QUEUE}"; create it anew under that name`,
    );
  checkBatchInput(parseOrRefuse(batchInputSchema, action.input, 'batch'), Date.now());
}
