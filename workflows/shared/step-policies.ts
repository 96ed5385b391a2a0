// Timeouts and retries of each step: how long it may take and how often it is tried before the saga
// sees its failure.
import type { ActivityOptions, Priority, RetryPolicy } from '@temporalio/common';
import type { MoveOptions, MoveStep } from '../../contracts/move.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

/**
 * Heartbeat timeout of a step, ms. With the first retry's pause another worker takes over within
 * 10 s.
 */
const HEARTBEAT_TIMEOUT_MS = 8 * SECOND_MS;
/** Longest run of a step that only makes a few calls, each with its own time limit, ms. */
const CALLS_TIMEOUT_MS = 60 * SECOND_MS;
/**
 * Longest run of the step that waits for the join, ms: time for a whole backlog over a slow link.
 */
const JOIN_TIMEOUT_MS = 24 * HOUR_MS;
/** Longest run of the wait for other moves, ms: a little more than its own limit of a day. */
const QUEUE_TIMEOUT_MS = 24 * HOUR_MS + CALLS_TIMEOUT_MS;
/**
 * How long notify waits for conditions that pass by themselves (a verdict under way, a restart),
 * ms.
 */
const PASSING_WAIT_MS = 180 * SECOND_MS;

/** Priority of a move whose starter gives none; 1 is the most urgent of 5. */
export const DEFAULT_PRIORITY_KEY = 3;
const MOST_URGENT_PRIORITY_KEY = 1;
/**
 * How much earlier, in priority keys, tasks that shorten a fence run than tasks that would begin
 * one when workers are behind. They don't overtake the moves of more urgent starters: a batch's
 * fenced steps (5) then rank equal to the first steps of an operator's own move (3).
 */
const FENCED_AHEAD = 2;

interface Retry {
  readonly initialInterval: number;
  readonly backoffCoefficient: number;
  readonly maximumInterval: number;
}

const UNHURRIED: Retry = { initialInterval: 500, backoffCoefficient: 1.5, maximumInterval: 10 * SECOND_MS };
/** Retries while guests write into the backlog. */
const QUICK: Retry = { initialInterval: 200, backoffCoefficient: 2, maximumInterval: 5 * SECOND_MS };
const PATIENT: Retry = { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 30 * SECOND_MS };

/** What the steps of one move have in common. */
export interface StepTerms {
  readonly options: MoveOptions;
  /** The move's priority: `DEFAULT_PRIORITY_KEY` unless its starter gave another. */
  readonly priorityKey: number;
}

export type StepName = MoveStep | 'queued' | 'ready' | 'resolve' | 'learn';

/**
 * The policy for the way forward. Retries end about when the attempt's lease does. They are
 * counted, not timed: an hour without any worker then uses up none, and the step itself finds out
 * whether its attempt still stands.
 */
export function forwardPolicy(step: StepName, terms: StepTerms): ActivityOptions {
  const { options } = terms;
  const { leaseMs } = options;
  switch (step) {
    case 'notify':
      return policy(CALLS_TIMEOUT_MS, within(Math.max(PASSING_WAIT_MS, 2 * leaseMs), UNHURRIED));
    case 'queued':
      // Nothing is open, and the wait has its own limit.
      return policy(QUEUE_TIMEOUT_MS, PATIENT);
    case 'ready':
      // Nothing is fenced, so a person's approval outlasts any outage.
      return policy(standByTimeoutMs(options), PATIENT);
    case 'flush':
      return policy(flushTimeoutMs(options), within(2 * leaseMs, QUICK));
    case 'snapshot':
    case 'bookmark':
      return { ...policy(CALLS_TIMEOUT_MS, within(leaseMs, QUICK)), priority: fencedPriority(terms) };
    case 'reconfigure':
      return { ...policy(JOIN_TIMEOUT_MS, within(leaseMs, QUICK)), priority: fencedPriority(terms) };
    case 'resolve':
    case 'learn':
      return patientPolicy(step, terms);
  }
}

/**
 * The policy for compensation and for what is left after the commit: retries without end. Only a
 * permanent failure ends it.
 */
export function patientPolicy(step: StepName, terms: StepTerms): ActivityOptions {
  return { ...policy(runTimeoutMs(step, terms.options), PATIENT), priority: fencedPriority(terms) };
}

/** The fairness key stays the move's own. */
function fencedPriority({ priorityKey }: StepTerms): Priority {
  return { priorityKey: Math.max(MOST_URGENT_PRIORITY_KEY, priorityKey - FENCED_AHEAD) };
}

function runTimeoutMs(step: StepName, options: MoveOptions): number {
  if (step === 'flush') return flushTimeoutMs(options);
  if (step === 'ready') return standByTimeoutMs(options);
  if (step === 'queued') return QUEUE_TIMEOUT_MS;
  return step === 'reconfigure' ? JOIN_TIMEOUT_MS : CALLS_TIMEOUT_MS;
}

/** Time for the wait for a small lag, and for a drain that ends with the attempt's deadline. */
function flushTimeoutMs({ lagWaitMs, attemptDeadlineMs }: MoveOptions): number {
  return lagWaitMs + attemptDeadlineMs + CALLS_TIMEOUT_MS;
}

/** Time until the attempt's deadline, which ends the step by itself. */
function standByTimeoutMs({ attemptDeadlineMs }: MoveOptions): number {
  return attemptDeadlineMs + CALLS_TIMEOUT_MS;
}

function policy(startToCloseTimeout: number, retry: RetryPolicy): ActivityOptions {
  return { startToCloseTimeout, heartbeatTimeout: HEARTBEAT_TIMEOUT_MS, retry };
}

/** A policy with as many tries as have pauses of `durationMs` in total. */
function within(durationMs: number, retry: Retry): RetryPolicy {
  let maximumAttempts = 1;
  let pauseMs = retry.initialInterval;
  for (
    let waitedMs = 0;
    waitedMs < durationMs;
    waitedMs += pauseMs, pauseMs = Math.min(pauseMs * retry.backoffCoefficient, retry.maximumInterval)
  )
    maximumAttempts += 1;
  return { ...retry, maximumAttempts };
}
