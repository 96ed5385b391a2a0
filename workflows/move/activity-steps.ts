// The saga's steps as Temporal activities.
import { proxyActivities, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';
import type { AttemptRef } from '../../contracts/attempt.js';
import type { ParsedMoveInput } from '../../contracts/move.js';
import { volumesOf } from '../saga/recorder.js';
import type { MoveSteps } from '../../contracts/steps.js';
import {
  DEFAULT_PRIORITY_KEY,
  forwardPolicy,
  patientPolicy,
  type StepName,
  type StepTerms,
} from '../shared/step-policies.js';
import { keptFloor } from './kept-floor.js';
import { forwardSummary, patientSummary } from '../shared/step-summaries.js';

type OptionsOf = (step: StepName, attempt: AttemptRef) => ActivityOptions;

/** The steps with the retry policy for the way forward. */
export function forwardSteps(input: ParsedMoveInput): MoveSteps {
  const volumes = volumesOf(input);
  const terms = termsOf(input);
  return stepsWith((step, attempt) => ({
    ...forwardPolicy(step, terms),
    summary: forwardSummary(step, volumes, attempt),
  }));
}

/** The steps for compensation and for what is left after a commit: retried without end. */
export function patientSteps(input: ParsedMoveInput): MoveSteps {
  const volumes = volumesOf(input);
  const terms = termsOf(input);
  return stepsWith((step, attempt) => ({
    ...patientPolicy(step, terms),
    summary: patientSummary(step, volumes, attempt),
  }));
}

function termsOf({ options }: ParsedMoveInput): StepTerms {
  const given = workflowInfo().priority?.priorityKey ?? 0;
  // The server reports 0 when the starter gave none.
  return { options, priorityKey: given === 0 ? DEFAULT_PRIORITY_KEY : given };
}

function given(floor: number | undefined): [floor?: number] {
  return floor === undefined ? [] : [floor];
}

function stepsWith(optionsOf: OptionsOf): MoveSteps {
  // Each call passes its own timeouts, but a proxy can't be made without one.
  const { notify, awaitTurn, standBy, flush, snapshot, bookmark, reconfigure, resolveAttempt, learnVerdict } =
    proxyActivities<MoveActivities>({ startToCloseTimeout: '1 minute' });
  return {
    ticketFloor: keptFloor,
    notify: async (input, attempt, floor) =>
      notify.executeWithOptions(optionsOf('notify', attempt), [input, attempt, ...given(floor)]),
    awaitTurn: async (input, attempt, held, sinceMs) =>
      awaitTurn.executeWithOptions(optionsOf('queued', attempt), [input, held, sinceMs]),
    standBy: async (context, until) =>
      standBy.executeWithOptions(optionsOf('ready', context.attempt), [context, until]),
    flush: async (context) => flush.executeWithOptions(optionsOf('flush', context.attempt), [context]),
    snapshot: async (context, flushed) =>
      snapshot.executeWithOptions(optionsOf('snapshot', context.attempt), [context, flushed]),
    bookmark: async (context) => bookmark.executeWithOptions(optionsOf('bookmark', context.attempt), [context]),
    reconfigure: async (context, flushed) =>
      reconfigure.executeWithOptions(optionsOf('reconfigure', context.attempt), [context, flushed]),
    resolve: async (attempt, reason, floor) =>
      resolveAttempt.executeWithOptions(optionsOf('resolve', attempt), [attempt, reason, ...given(floor)]),
    learn: async (record, verdict) =>
      learnVerdict.executeWithOptions(optionsOf('learn', record.attempt), [record, verdict]),
  };
}
