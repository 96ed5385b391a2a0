// Schedules of batches, on Temporal Schedules: create, show, pause, trigger, backfill, and correct
// those made by hand in the UI.
import {
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ports } from '../../control/ports.js';
import { type BatchId, type BatchInput, batchInputSchema } from '../../contracts/batch.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { checkBatchInput } from '../batches/check-input.js';
import { storedBatchReport } from '../batches/stored-batch.js';
import { fromSchedule, isUnanswered } from '../temporal/failure.js';
import { estateGroups, listed, unknownGroups } from '../batches/known-groups.js';
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
import { type KnownNow, type ScheduleWarning, warningsOf } from './schedule-warnings.js';
import { specText } from './spec-text.js';
import { type UiForm, uiFormOf } from './ui-form.js';
import { type TemporalAccess, taskQueueOf } from '../temporal/connection.js';

export interface ScheduleRun {
  /** Undefined when the workflow id can't be a batch's. */
  readonly batch: BatchId | undefined;
  readonly workflowId: string;
  readonly scheduledAtMs: number;
  readonly startedAtMs: number;
  /**
   * The outcome in the batch's report; else `running`, `failed`, `cancelled`, `terminated`,
   * `timed-out`, `ended`, or `forgotten` by Temporal.
   */
  readonly outcome: string;
}

export interface ScheduleAction {
  readonly workflowType: string;
  /** The workflow id without the time that Temporal appends. */
  readonly workflowId: string;
  readonly taskQueue: string;
  /** A batch's input. It may be anything if the schedule was made by hand. */
  readonly input: unknown;
}

export interface Schedule {
  readonly name: string;
  /** Its times in words. */
  readonly when: string;
  /** Undefined when none is set; its times are then UTC. */
  readonly timeZone?: string;
  readonly paused: boolean;
  /** Why it is paused, or the last note. */
  readonly note?: string;
  readonly nextRunsMs: readonly number[];
  /** The last runs, newest first. */
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
  /** The schedule's page in the Temporal UI; undefined when the UI's address is unknown. */
  readonly url: string | undefined;
  readonly warnings: readonly ScheduleWarning[];
}

export interface ListedSchedules {
  /** The schedules, sorted by name. */
  readonly schedules: readonly Schedule[];
  /** Schedules of the namespace that could not be read, and why. */
  readonly unreadable: readonly { readonly name: string; readonly message: string }[];
  /**
   * How many schedules of the namespace neither start a batch nor use volume-mover's task queue.
   */
  readonly foreign: number;
}

export interface CreatedSchedule {
  readonly schedule: Schedule;
  /** False when the name existed, so that schedule was changed. */
  readonly created: boolean;
  /** False when no appliance answered, so that the groups it names are unchecked. */
  readonly groupsChecked: boolean;
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
  /**
   * `waiting`: it starts when the present run has ended. `requested`: Temporal has taken the
   * request, and did not say within 10 s what came of it.
   */
  readonly result: 'started' | 'skipped' | 'waiting' | 'requested';
  readonly run?: ScheduleRun;
}

export interface BackfillInput extends TriggerOptions {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Adopted {
  readonly schedule: Schedule;
  /** The warnings that it no longer has. */
  readonly corrected: readonly ScheduleWarning[];
}

/**
 * Longest period of a backfill, ms. It starts a batch for each time in the period, so more than a
 * month is a mistake.
 */
const BACKFILL_MS_MAX = 31 * 86_400_000;
/**
 * Longest wait for the result of a trigger, ms. It commonly takes less than a
 * second.
 */
const TRIGGER_WAIT_MS_MAX = 10_000;
const POLL_INTERVAL_MS = 100;
/**
 * Longest wait for one description, ms. For the server it is a query of the schedule's own
 * workflow, which a busy server sometimes loses; a second query is answered at once. The server's
 * own limit is 5 s.
 */
const DESCRIBE_MS_MAX = 7_000;
const DESCRIBE_ATTEMPTS_MAX = 3;
/** Schedules described at once. */
const DESCRIBED_AT_ONCE = 8;
/** Last runs shown of one schedule. */
const LAST_RUNS_SHOWN_MAX = 5;

/** The SDK's client for schedules. All calls may also reject with UNREACHABLE. */
export type ScheduleClient = Pick<Schedules, keyof Schedules>;

export class Schedules {
  readonly #temporal: () => Promise<TemporalAccess>;
  readonly #ports: Ports;

  constructor(temporal: () => Promise<TemporalAccess>, ports: Ports) {
    this.#temporal = temporal;
    this.#ports = ports;
  }

  /**
   * Makes a schedule of batches, or changes the one of that name, which keeps its paused state.
   * Everything is checked first; groups only if the estate answers.
   * @throws MoverError INVALID_REQUEST
   */
  async create(given: ScheduleInput): Promise<CreatedSchedule> {
    const input = checkSchedule(given);
    const access = await this.#temporal();
    const { client } = access;
    const { name, spec, note, paused } = input;
    const action = actionOf(input, access);
    const groups = await estateGroups(this.#ports);
    if (groups !== undefined) refuseUnknown(input.batch, groups);
    const groupsChecked = groups !== undefined;
    let created = true;
    await this.#call(name, async () =>
      withAttributesIfKnown(async (hasAttributes) => {
        const definition = {
          spec,
          action: hasAttributes ? action : unsearchable(action),
          policies: policiesOf(input),
          ...(hasAttributes ? { typedSearchAttributes: attributesOf(input.batch, access) } : {}),
        };
        const noted = note === undefined || access.hidesNames === true ? {} : { note };
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
    return { schedule: await this.get(name), created, groupsChecked };
  }

  /**
   * What to type into the Temporal UI to make this schedule there. Makes nothing.
   * @throws MoverError INVALID_REQUEST
   */
  async uiFormFor(given: ScheduleInput): Promise<UiForm> {
    const { name, batch, times, zone } = checkSchedule(given);
    return uiFormOf({
      name,
      action: {
        workflowType: BATCH_WORKFLOW,
        workflowId: workflowIdOf(name),
        taskQueue: await this.#taskQueue(),
        input: batch,
      },
      times,
      timeZone: zone,
      hasMoreTimes: false,
      formUrl: await this.#formUrl(),
    });
  }

  /**
   * What to type to make an existing schedule again; like `uiFormFor`. @throws MoverError
   * SCHEDULE_NOT_FOUND
   */
  async uiForm(name: string): Promise<UiForm> {
    const { spec, action } = await this.#describe(name);
    const { calendars = [], intervals = [], skip = [], startAt, endAt, timezone } = spec;
    return uiFormOf({
      name,
      action: describedAction(action),
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
    const known = await this.#known();
    const left = names.sort();
    const readNext = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        try {
          const description = await this.#describe(name);
          if (isOurs(description, known.taskQueue)) schedules.push(await this.#scheduleOf(description, known));
          else foreign += 1;
        } catch (error) {
          // It was deleted since the listing.
          if (error instanceof MoverError && error.code === 'SCHEDULE_NOT_FOUND') continue;
          if (error instanceof MoverError && error.code === 'UNREACHABLE') throw error;
          unreadable.push({ name, message: error instanceof Error ? error.message : String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: DESCRIBED_AT_ONCE }, readNext));
    return { schedules: schedules.sort((a, b) => (a.name < b.name ? -1 : 1)), unreadable, foreign };
  }

  /** Finds a schedule. @throws MoverError SCHEDULE_NOT_FOUND */
  async get(name: string): Promise<Schedule> {
    return await this.#scheduleOf(await this.#describe(name), await this.#known());
  }

  /**
   * Pauses a schedule until `resume`. Running batches continue.
   * @throws MoverError SCHEDULE_NOT_FOUND
   */
  async pause(name: string, request: ScheduleRequest = {}): Promise<Schedule> {
    return await this.#change(name, async (handle) => handle.pause(await this.#note('Paused', request)));
  }

  /** Resumes a schedule. @throws MoverError SCHEDULE_NOT_FOUND */
  async resume(name: string, request: ScheduleRequest = {}): Promise<Schedule> {
    return await this.#change(name, async (handle) => handle.unpause(await this.#note('Resumed', request)));
  }

  /**
   * Runs a schedule once now, even if it is paused, and says what came of it.
   * @throws MoverError SCHEDULE_NOT_FOUND
   */
  async trigger(name: string, { overlap }: TriggerOptions = {}): Promise<Triggered> {
    const before = await this.#describe(name);
    const policy = parseOrRefuse(overlapSchema, overlap ?? before.policies.overlap ?? 'SKIP', 'overlap');
    const handle = await this.#handle(name);
    await this.#call(name, async () => handle.trigger(policy));
    const earlier = new Set(before.info.recentActions.map(({ action }) => action.workflow.firstExecutionRunId));
    const deadlineMs = performance.now() + TRIGGER_WAIT_MS_MAX;
    for (;;) {
      const { info } = await this.#describe(name);
      const started = info.recentActions.find(({ action }) => !earlier.has(action.workflow.firstExecutionRunId));
      if (started !== undefined) return { result: 'started', run: await this.#runOf(started) };
      if (info.numActionsSkippedOverlap > before.info.numActionsSkippedOverlap) return { result: 'skipped' };
      if (policy.startsWith('BUFFER') && info.runningActions.length > 0) return { result: 'waiting' };
      if (performance.now() > deadlineMs) return { result: 'requested' };
      await delay(POLL_INTERVAL_MS);
    }
  }

  /**
   * Runs a schedule for each of its times in a past period of at most 31 days, as if the time were
   * now. With SKIP, times that come while a run lasts are left out.
   * @throws MoverError SCHEDULE_NOT_FOUND, INVALID_REQUEST
   */
  async backfill(name: string, { fromMs, toMs, overlap }: BackfillInput): Promise<void> {
    if (!(fromMs < toMs)) throw refusal('from', 'must be before "to"');
    if (toMs - fromMs > BACKFILL_MS_MAX) throw refusal('from', `at most ${BACKFILL_MS_MAX / 86_400_000} days at once`);
    const { policies } = await this.#describe(name);
    const policy = parseOrRefuse(overlapSchema, overlap ?? policies.overlap ?? 'SKIP', 'overlap');
    const handle = await this.#handle(name);
    await this.#call(name, async () =>
      handle.backfill({ start: new Date(fromMs), end: new Date(toMs), overlap: policy }),
    );
  }

  /**
   * Corrects a schedule made by hand: overlap, catch-up, jitter, pause on failure, search
   * attributes and summary. Its times, input, note and paused state stay.
   * @throws MoverError SCHEDULE_NOT_FOUND; INVALID_REQUEST when it starts no batch that could run,
   * so it must be made again
   */
  async adopt(name: string, options: AdoptOptions = {}): Promise<Adopted> {
    const before = await this.get(name);
    const access = await this.#temporal();
    const batch = batchOf(before, taskQueueOf(access));
    const groups = await estateGroups(this.#ports);
    if (groups !== undefined) refuseUnknown(batch, groups);
    if (options.timeZone !== undefined && !isTimeZone(options.timeZone))
      throw refusal('timeZone', timeZoneFault(options.timeZone));
    if (options.timeZone !== undefined && before.timeZone !== undefined && before.timeZone !== options.timeZone)
      throw refusal('timeZone', `it has a time zone already, ${before.timeZone}`);
    const handle = await this.#handle(name);
    await this.#call(name, async () =>
      withAttributesIfKnown(async (hasAttributes) =>
        handle.update((previous) => adoptedFrom(name, previous, options, hasAttributes, access)),
      ),
    );
    const schedule = await this.get(name);
    const left = new Set(schedule.warnings.map(({ about }) => about));
    return { schedule, corrected: before.warnings.filter(({ about }) => !left.has(about)) };
  }

  /** Deletes a schedule. Running batches continue. @throws MoverError SCHEDULE_NOT_FOUND */
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

  async #scheduleOf(description: ScheduleDescription, known: KnownNow): Promise<Schedule> {
    const { scheduleId: name, spec, policies, state, info, action } = description;
    const { lastUpdatedAt } = info;
    const recent = info.recentActions.slice(-LAST_RUNS_SHOWN_MAX).reverse();
    return {
      name,
      when: specText(spec),
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
      action: describedAction(action),
      runs: {
        started: info.numActionsTaken,
        skippedForOverlap: info.numActionsSkippedOverlap,
        missedCatchUp: info.numActionsMissedCatchupWindow,
      },
      createdAtMs: info.createdAt.getTime(),
      ...(lastUpdatedAt === undefined ? {} : { changedAtMs: lastUpdatedAt.getTime() }),
      url: await this.#urlOf(name),
      warnings: warningsOf(description, known),
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

  /** The outcome of the newest run under the id, unless that belongs to another batch. */
  async #outcomeOf(workflowId: string, firstRunId: string): Promise<string> {
    const { client } = await this.#temporal();
    try {
      let described = await client.workflow.getHandle(workflowId).describe();
      const { firstRunId: newest } = described.raw.workflowExecutionInfo ?? {};
      if (newest && newest !== firstRunId)
        described = await client.workflow.getHandle(workflowId, firstRunId).describe();
      // A cancelled or terminated run may have set its outcome before.
      const reported = described.typedSearchAttributes.get(SEARCH_KEYS.Outcome);
      const { name: status } = described.status;
      return OUTCOME_OF_STATUS.get(status) ?? reported ?? OUTCOME_WITHOUT_REPORT.get(status) ?? 'ended';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return await this.#storedOutcomeOf(workflowId, firstRunId);
      throw fromSchedule(error, workflowId);
    }
  }

  /**
   * The stored outcome of a batch whose history is gone. On failure the list omits it and stays
   * usable.
   */
  async #storedOutcomeOf(workflowId: string, firstRunId: string): Promise<string> {
    const batch = batchIdIfAny(workflowId, firstRunId);
    const report = batch === undefined ? undefined : await storedBatchReport(this.#ports, batch).catch(() => undefined);
    return report?.outcome ?? 'forgotten';
  }

  /** What warnings about schedules need to know. */
  async #known(): Promise<KnownNow> {
    const taskQueue = await this.#taskQueue();
    const [hasWorkers, groups] = await Promise.all([this.#hasWorkers(taskQueue), estateGroups(this.#ports)]);
    return { taskQueue, hasWorkers, groups };
  }

  /** Whether any worker polls the queue; undefined when the caller may not ask. */
  async #hasWorkers(taskQueue: string): Promise<boolean | undefined> {
    const { client } = await this.#temporal();
    try {
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: WORKFLOW_QUEUE,
      });
      return (pollers ?? []).length > 0;
    } catch {
      return undefined;
    }
  }

  /** Writes a note, which Temporal keeps in clear: where names are hidden, without the request. */
  async #note(done: string, request: ScheduleRequest): Promise<string> {
    const { hidesNames } = await this.#temporal();
    return noteOf(done, hidesNames === true ? {} : request);
  }

  async #taskQueue(): Promise<string> {
    return taskQueueOf(await this.#temporal());
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
 * Retries without search attributes in a namespace that no worker has prepared. They are set when
 * the schedule is made again or adopted.
 */
async function withAttributesIfKnown(make: (hasAttributes: boolean) => Promise<void>): Promise<void> {
  try {
    await make(true);
  } catch (error) {
    if (!refusesAttributes(error)) throw error;
    await make(false);
  }
}

/** The task queue type's number in the server's API. */
const WORKFLOW_QUEUE = 1;

type RecentAction = ScheduleDescription['info']['recentActions'][number];

/** Outcomes that take precedence over what the run reported before. */
const OUTCOME_OF_STATUS: ReadonlyMap<string, string> = new Map([
  ['RUNNING', 'running'],
  ['CANCELLED', 'cancelled'],
  ['TERMINATED', 'terminated'],
]);
/** Outcomes of runs that reported none. */
const OUTCOME_WITHOUT_REPORT: ReadonlyMap<string, string> = new Map([
  ['FAILED', 'failed'],
  ['TIMED_OUT', 'timed-out'],
]);

/**
 * Whether a schedule concerns volume-mover: it starts a batch or uses volume-mover's task queue.
 * One made by hand with a single typing error still counts.
 */
function isOurs({ action }: ScheduleDescription, taskQueue: string): boolean {
  return action.workflowType === BATCH_WORKFLOW || action.taskQueue === taskQueue;
}

function describedAction({ workflowType, workflowId, taskQueue, args }: ScheduleDescription['action']): ScheduleAction {
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

/** @throws MoverError INVALID_REQUEST naming each field with a group that does not exist */
function refuseUnknown(batch: BatchInput, groups: ReadonlySet<string>): void {
  const reasons = unknownGroups(batch, groups).map((reason) => ({ ...reason, subject: `batch.${reason.subject}` }));
  if (reasons.length === 0) return;
  throw new MoverError('INVALID_REQUEST', `The schedule is not accepted: ${listed(reasons)}.`, { reasons });
}

/**
 * The batch that a schedule starts. Refuses what `adopt` can't correct: it keeps times, input and
 * state, so faults in them are not its to decide.
 */
function batchOf({ name, action }: Schedule, taskQueue: string): BatchInput {
  if (action.workflowType !== BATCH_WORKFLOW || action.taskQueue !== taskQueue)
    throw refusal(
      name,
      `it starts "${action.workflowType}" on task queue "${action.taskQueue}", not "${BATCH_WORKFLOW}" on "${taskQueue}"; create it anew under that name`,
    );
  return checkBatchInput(parseOrRefuse(batchInputSchema, action.input, 'batch'), Date.now());
}
