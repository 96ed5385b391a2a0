// Batches under any sequence of ends, requests, pauses, windows and renewals: each move ends in one
// state, none runs twice at once, no limit is exceeded, and the counts add up.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MoveEnd } from '../../contracts/batch-run.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { BatchModel, itemsOf, PERIOD_MS } from '../support/batch-model.js';

const small = fc.integer({ min: 1, max: 4 });

const optionsArbitrary = fc.record(
  {
    concurrency: fc.record(
      { all: fc.integer({ min: 1, max: 6 }), perSourceGroup: small, perTargetGroup: small, perAppliance: small },
      { requiredKeys: ['all'] },
    ),
    startsPerSecond: fc.constantFrom(0.5, 1, 3),
    failures: fc.oneof(
      { weight: 4, arbitrary: fc.constant({ policy: 'continue' as const }) },
      { weight: 1, arbitrary: fc.constant({ policy: 'stop-now' as const }) },
      { weight: 1, arbitrary: fc.constant({ policy: 'stop-after' as const, count: 3 }) },
      { weight: 1, arbitrary: fc.constant({ policy: 'stop-after' as const, percent: 20 }) },
    ),
    retries: fc.record({ max: fc.integer({ min: 0, max: 3 }), backoffMs: fc.constant(1_000) }),
    canary: fc.record({ count: small, approval: fc.boolean() }),
    window: fc.constant({ timeZone: 'UTC', start: '00:00', end: '01:00' }),
    atWindowEnd: fc.constantFrom('finish' as const, 'wait' as const),
    expectedMoveMs: fc.constant(500),
  },
  { requiredKeys: ['concurrency', 'expectedMoveMs'] },
);

const endArbitrary: fc.Arbitrary<MoveEnd | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 2_000 }).map((tookMs): MoveEnd => ({ kind: 'moved', tookMs })) },
  { weight: 3, arbitrary: fc.boolean().map((stands): MoveEnd => ({ kind: 'failed', message: 'no', stands })) },
  { weight: 1, arbitrary: fc.constant<MoveEnd>({ kind: 'cancelled' }) },
  { weight: 1, arbitrary: fc.constant<MoveEnd>({ kind: 'there' }) },
  { weight: 1, arbitrary: fc.constant<MoveEnd>({ kind: 'window-closed' }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

const stepArbitrary = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which: fc.nat(),
      end: endArbitrary,
      twice: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.oneof(fc.nat(2_000), fc.nat(PERIOD_MS)) }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'renew' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'pause' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'resume' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'retry' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'approve' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), seq: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('limit' as const), all: small }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('abort' as const),
      running: fc.constantFrom('finish' as const, 'roll-back' as const),
      /** Only 0 aborts: a batch that is over tells nothing more. */
      really: fc.integer({ min: 0, max: 9 }),
    }),
  },
);
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

function take(model: BatchModel, step: Step): void {
  const { batch } = model;
  switch (step.kind) {
    case 'end': {
      const seq = [...model.flying.keys()][step.which % Math.max(1, model.flying.size)];
      if (seq === undefined) return;
      model.end(seq, step.end);
      if (step.twice) model.end(seq, { kind: 'moved', tookMs: 1 });
      return;
    }
    case 'time':
      model.nowMs += step.ms;
      return;
    case 'renew':
      model.renew();
      return;
    case 'pause':
      batch.pause('ann: because');
      return;
    case 'resume':
      batch.resume();
      return;
    case 'retry':
      if (batch.stop === undefined) batch.retryFailed();
      return;
    case 'approve':
      if (batch.canary === 'waiting') batch.approve();
      return;
    case 'skip':
      batch.skips.add(volumeIdSchema.parse(`v${step.seq}`));
      return;
    case 'limit':
      // Those that run already are more than the new limit, perhaps; no further one starts.
      model.concurrency = { all: Math.max(step.all, model.flying.size) };
      batch.limit({ all: step.all });
      return;
    case 'abort':
      if (step.really === 0) batch.end({ why: 'aborted', running: step.running, text: 'ann aborted the batch.' });
  }
}

/** Lets everything go well from here on: the batch must come to its end. */
function finish(model: BatchModel): void {
  for (let i = 0; !model.isOver; i += 1) {
    if (i > 2_000) throw new Error('the batch does not end');
    model.batch.resume();
    if (model.batch.canary === 'waiting') model.batch.approve();
    const untilMs = model.settle();
    if (model.isOver) return;
    const [seq] = model.flying.keys();
    if (seq !== undefined)
      model.end(seq, model.cancelAsked.has(seq) ? { kind: 'cancelled' } : { kind: 'moved', tookMs: 300 });
    else if (model.batch.canary === 'waiting') continue;
    else if (untilMs === undefined) throw new Error('the batch waits for nothing');
    else model.nowMs = untilMs;
  }
}

test('whatever happens to it, a batch loses no move, runs none twice at once, and ends', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      optionsArbitrary,
      fc.array(stepArbitrary, { maxLength: 120 }),
      (count, options, steps) => {
        const model = new BatchModel(itemsOf(count), options);
        for (const step of steps) {
          model.settle();
          if (model.isOver) break;
          take(model, step);
        }
        finish(model);
        const counts = model.batch.counts();
        expect(counts.running).toBe(0);
        // Only a batch that was stopped leaves moves that had no turn.
        if (model.batch.stop === undefined) expect(counts.waiting).toBe(0);
        if (options.failures?.policy !== 'continue' && options.failures !== undefined) return;
        if (model.batch.stop?.why === 'failures') throw new Error('stopped by a policy that it does not have');
      },
    ),
    { numRuns: 250 },
  );
});
