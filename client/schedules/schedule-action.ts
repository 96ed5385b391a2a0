// The workflow that a schedule starts, in Temporal's form, for both new and changed schedules.
import type { ScheduleOptions, ScheduleOptionsStartWorkflowAction } from '@temporalio/client';
import { type SearchAttributePair, TypedSearchAttributes, type Workflow } from '@temporalio/common';
import type { BatchInput } from '../../contracts/batch.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { summaryLine } from '../../contracts/summary-line.js';
import { HIDDEN_MEMO, SEARCH_KEYS, withoutNames } from '../../contracts/search-pairs.js';
import { describeBatch } from '../batches/describe-batch.js';
import { type TemporalAccess, taskQueueOf } from '../temporal/connection.js';
import type { CheckedSchedule } from './schedule-input.js';

export const BATCH_WORKFLOW = 'moveBatch';

export type Action = ScheduleOptionsStartWorkflowAction<Workflow>;

/** The workflow id's prefix. Temporal appends the time of each run. */
export function workflowIdOf(schedule: string): string {
  return `${schedule}-batch`;
}

/** Where a schedule's batches run, and whether they hide names. */
export type Place = Pick<TemporalAccess, 'taskQueue' | 'hidesNames'>;

export function actionOf({ name, batch }: Pick<CheckedSchedule, 'name' | 'batch'>, place: Place): Action {
  return {
    type: 'startWorkflow',
    workflowType: BATCH_WORKFLOW,
    workflowId: workflowIdOf(name),
    taskQueue: taskQueueOf(place),
    args: [batch],
    staticSummary: summaryLine(`Schedule ${name}: ${describeBatch(batch)}`),
    typedSearchAttributes: attributesOf(batch, place),
    ...(place.hidesNames === true ? { memo: { [HIDDEN_MEMO]: true } } : {}),
  };
}

export function policiesOf({
  overlap,
  catchUpMs,
  pauseOnFailure,
}: Pick<CheckedSchedule, 'overlap' | 'catchUpMs' | 'pauseOnFailure'>): NonNullable<ScheduleOptions['policies']> {
  return { overlap, catchupWindow: catchUpMs, pauseOnFailure };
}

/**
 * Attributes known before a run, for the schedule and each of its batches. The batch sets its id
 * and outcome itself.
 */
export function attributesOf({ to, select, moves }: BatchInput, { hidesNames }: Place): TypedSearchAttributes {
  const targets = new Set(to === undefined ? (moves ?? []).map((move) => move.to) : [to]);
  const sources = new Set(select?.from === undefined ? [] : [select.from].flat());
  const pairs: SearchAttributePair[] = [
    { key: SEARCH_KEYS.Stage, value: 'planning' },
    ...single(SEARCH_KEYS.ToGroup, targets),
    ...single(SEARCH_KEYS.FromGroup, sources),
  ];
  return new TypedSearchAttributes(hidesNames === true ? withoutNames(pairs) : pairs);
}

function single(key: typeof SEARCH_KEYS.ToGroup, groups: ReadonlySet<string>): SearchAttributePair[] {
  return groups.size === 1 ? [...groups].map((group) => ({ key, value: keywordOf(group) })) : [];
}

/** The action without search attributes, for a namespace that does not know them. */
export function unsearchable({ typedSearchAttributes: _unknown, ...action }: Action): Action {
  return action;
}
