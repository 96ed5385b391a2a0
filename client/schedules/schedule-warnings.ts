// Warnings about a schedule, mostly about server defaults that the Temporal UI's form leaves.
import type { ScheduleDescription } from '@temporalio/client';
import { batchInputSchema } from '../../contracts/batch.js';
import { MoverError, parseOrRefuse, type Reason } from '../../contracts/errors.js';
import { WORKFLOW_TYPES } from '../../contracts/workflow-types.js';
import { checkBatchInput } from '../batches/check-input.js';
import { unknownGroups } from '../batches/known-groups.js';
import { BATCH_WORKFLOW } from './schedule-action.js';
import type { Overlap } from './schedule-input.js';
import { period } from '../text/format.js';

export interface ScheduleWarning {
  readonly about:
    | 'catchUp'
    | 'overlap'
    | 'pauseOnFailure'
    | 'timeZone'
    | 'times'
    | 'workflowType'
    | 'taskQueue'
    | 'batch'
    | 'searchAttributes';
  readonly message: string;
  /** Whether `adopt` corrects it. */
  readonly adoptable: boolean;
}

/**
 * Longest sensible catch-up, ms. Beyond it a missed migration could start in the middle of another
 * day.
 */
export const CATCH_UP_MS_SENSIBLE = 24 * 3_600_000;

type Described = Pick<ScheduleDescription, 'spec' | 'policies' | 'action' | 'info'>;

/** What runs now, as far as it answers. */
export interface KnownNow {
  /** The task queue that workers poll. */
  readonly taskQueue: string;
  /** Whether any worker polls the task queue. */
  readonly hasWorkers: boolean | undefined;
  readonly groups: ReadonlySet<string> | undefined;
}

export function warningsOf(schedule: Described, { taskQueue, hasWorkers, groups }: KnownNow): ScheduleWarning[] {
  const warnings: ScheduleWarning[] = [];
  const warn = (about: ScheduleWarning['about'], message: string, adoptable = false): void =>
    void warnings.push({ about, message, adoptable });
  const { policies, spec, action, info } = schedule;
  const isBatch = action.workflowType === BATCH_WORKFLOW;
  if (policies.catchupWindow > CATCH_UP_MS_SENSIBLE)
    warn(
      'catchUp',
      `a run missed in an outage may start up to ${period(policies.catchupWindow)} late, at any time of day`,
      true,
    );
  const { overlap = 'SKIP' } = policies;
  if (overlap !== 'SKIP') warn('overlap', `overlap is ${overlap}: ${OVERLAP_RISKS[overlap]}`, true);
  if (!policies.pauseOnFailure) warn('pauseOnFailure', 'it keeps starting batches after one has failed', true);
  if (!spec.timezone) warn('timeZone', 'no time zone is set, so its times are UTC', true);
  if (info.nextActionTimes.length === 0) warn('times', 'it has no further run');
  if (!WORKFLOW_TYPES.some((type) => type === action.workflowType))
    warn('workflowType', `there is no workflow type "${action.workflowType}"; a batch is "${BATCH_WORKFLOW}"`);
  else if (!isBatch) warn('workflowType', `it starts "${action.workflowType}", not a batch ("${BATCH_WORKFLOW}")`);
  if (action.taskQueue !== taskQueue)
    warn(
      'taskQueue',
      `workers of volume-mover poll task queue "${taskQueue}", not "${action.taskQueue}", so its batches would never run`,
    );
  else if (hasWorkers === false) warn('taskQueue', `no worker polls task queue "${taskQueue}" now: start a worker`);
  if (isBatch) for (const message of batchFaults(action.args, groups)) warn('batch', message);
  if (isBatch && !isSearchable(action.typedSearchAttributes))
    warn('searchAttributes', 'its batches cannot be found by group before they run', true);
  return warnings;
}

const OVERLAP_RISKS: Readonly<Record<Exclude<Overlap, 'SKIP'>, string>> = {
  BUFFER_ONE: 'a run that is due while a batch runs starts when that batch ends',
  BUFFER_ALL: 'runs that are due while a batch runs start one after the other when it ends',
  CANCEL_OTHER: 'a batch that still runs when the next one is due is cancelled: its moves roll back',
  TERMINATE_OTHER: 'a batch that still runs when the next one is due is terminated and leaves no report',
  ALLOW_ALL: 'two batches may move the same volumes at the same time',
};

function isSearchable(attributes: Described['action']['typedSearchAttributes']): boolean {
  if (attributes === undefined) return false;
  return (Array.isArray(attributes) ? attributes : attributes.getAll()).length > 0;
}

function batchFaults(args: readonly unknown[] | undefined, groups: ReadonlySet<string> | undefined): string[] {
  if (args?.length !== 1) return [`its input is ${args?.length ?? 0} values: a batch takes one JSON object`];
  try {
    const batch = checkBatchInput(parseOrRefuse(batchInputSchema, args[0], 'input'), Date.now());
    return groups === undefined ? [] : unknownGroups(batch, groups).map(faultText);
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    return error.reasons.map(faultText);
  }
}

function faultText({ subject, message }: Reason): string {
  return `its input would be refused: ${subject}: ${message}`;
}
