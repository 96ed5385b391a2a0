// How long steps are tried: what the time-outs and tries add up to.
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { moveOptionsSchema, MOVE_STEPS } from '../../contracts/move.js';
import {
  DEFAULT_PRIORITY_KEY,
  forwardPolicy,
  patientPolicy,
  type StepName,
  type StepTerms,
} from '../../workflows/shared/step-policies.js';

function termsWith(options: z.input<typeof moveOptionsSchema>, priorityKey = DEFAULT_PRIORITY_KEY): StepTerms {
  return { options: moveOptionsSchema.parse(options), priorityKey };
}

/** Pauses between all tries of a step, in milliseconds. */
function patienceMs(step: StepName, leaseMs: number): number {
  const { retry } = forwardPolicy(step, termsWith({ leaseMs }));
  let pauseMs = Number(retry?.initialInterval);
  let sumMs = 0;
  for (let tries = 1; tries < (retry?.maximumAttempts ?? 0); tries += 1) {
    sumMs += pauseMs;
    pauseMs = Math.min(pauseMs * (retry?.backoffCoefficient ?? 0), Number(retry?.maximumInterval));
  }
  return sumMs;
}

describe('tries add up to', () => {
  test.each([
    { step: 'notify', leaseMs: 60_000, fromMs: 180_000, toMs: 191_000 },
    { step: 'notify', leaseMs: 600_000, fromMs: 1_200_000, toMs: 1_211_000 },
    { step: 'flush', leaseMs: 60_000, fromMs: 120_000, toMs: 126_000 },
    { step: 'snapshot', leaseMs: 60_000, fromMs: 60_000, toMs: 66_000 },
    { step: 'bookmark', leaseMs: 1_000, fromMs: 1_000, toMs: 2_000 },
    { step: 'reconfigure', leaseMs: 60_000, fromMs: 60_000, toMs: 66_000 },
  ] as const)('$fromMs ms for $step with a lease of $leaseMs ms', ({ step, leaseMs, fromMs, toMs }) => {
    const ms = patienceMs(step, leaseMs);
    expect(ms).toBeGreaterThanOrEqual(fromMs);
    expect(ms).toBeLessThan(toMs);
  });
});

test('every step notices a dead worker within ten seconds, its retry included', () => {
  const terms = termsWith({});
  for (const step of MOVE_STEPS) {
    for (const { heartbeatTimeout, retry } of [forwardPolicy(step, terms), patientPolicy(step, terms)]) {
      expect(Number(heartbeatTimeout) + Number(retry?.initialInterval)).toBeLessThan(10_000);
    }
  }
});

test('compensation and completion are tried without end', () => {
  const terms = termsWith({});
  for (const step of [...MOVE_STEPS, 'resolve', 'learn'] as const) {
    const { retry, scheduleToCloseTimeout } = patientPolicy(step, terms);
    expect(retry?.maximumAttempts).toBeUndefined();
    expect(scheduleToCloseTimeout).toBeUndefined();
  }
});

test('one run of flush may wait for small lag as long as the move allows', () => {
  const terms = termsWith({ lagWaitMs: 3_600_000 });
  const { options } = terms;
  expect(Number(forwardPolicy('flush', terms).startToCloseTimeout)).toBeGreaterThan(
    options.lagWaitMs + options.attemptDeadlineMs,
  );
});

describe('when workers are behind', () => {
  /** Priority of each step on the way forward; without one of its own, a step has its move's. */
  const urgency = (priorityKey: number): (number | undefined)[] =>
    MOVE_STEPS.map((step) => forwardPolicy(step, termsWith({}, priorityKey)).priority?.priorityKey);

  test('a move that is fenced goes before those that are not yet', () => {
    expect(urgency(DEFAULT_PRIORITY_KEY)).toEqual([undefined, undefined, 1, 1, 1]);
    expect(patientPolicy('resolve', termsWith({})).priority?.priorityKey).toBe(1);
  });

  test('the fenced moves of a batch don’t go before an operator’s own', () => {
    expect(urgency(5)).toEqual([undefined, undefined, 3, 3, 3]);
  });

  test('nothing is more urgent than the most urgent', () => {
    expect(urgency(1)).toEqual([undefined, undefined, 1, 1, 1]);
  });
});
