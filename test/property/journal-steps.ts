// What happens to a volume in one random run, as data: fast-check makes it, shrinks it and prints
// it.
import fc from 'fast-check';

export type RecordSketch =
  | {
      readonly kind: 'write';
      readonly at: number;
      readonly length: number;
      readonly seed: number;
      readonly zeroFrom: number;
    }
  | { readonly kind: 'zeroes'; readonly at: number; readonly length: number }
  | { readonly kind: 'initBegin' }
  | { readonly kind: 'initEnd' };

/** `share` chooses a position between two bounds: 0 the lower, 1 the upper. */
export type Step =
  | { readonly step: 'append'; readonly records: readonly RecordSketch[] }
  | { readonly step: 'newSession' }
  | { readonly step: 'turns'; readonly count: number }
  | { readonly step: 'pause' }
  | { readonly step: 'resume' }
  | { readonly step: 'openImage'; readonly share: number }
  | { readonly step: 'readImages'; readonly at: number; readonly length: number }
  | { readonly step: 'closeImage' }
  /** `shares` choose the single positions. */
  | { readonly step: 'retain'; readonly shares: readonly number[]; readonly everyFrom: number }
  | { readonly step: 'closeAndReopen' }
  | { readonly step: 'dieAfter'; readonly calls: number; readonly tornShare: number }
  /** Opening anew dies too, after so many changes, before it is tried again. */
  | { readonly step: 'crash'; readonly openingCalls: number | undefined };

export interface StepLimits {
  readonly sizeBytes: number;
  readonly writeBytesMax: number;
  readonly zeroesBytesMax: number;
  readonly stepsMin: number;
  readonly stepsMax: number;
}

/** `fc.double` would draw from all floating-point numbers alike; most of those are close to 0. */
const share = fc.integer({ min: 0, max: 1000 }).map((one) => one / 1000);

function records(limits: StepLimits): fc.Arbitrary<RecordSketch> {
  const at = fc.nat(limits.sizeBytes - 1);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        at,
        length: fc.integer({ min: 1, max: limits.writeBytesMax }),
        seed: fc.nat(255),
        zeroFrom: fc.nat(limits.writeBytesMax * 2),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('zeroes' as const),
        at,
        length: fc.integer({ min: 1, max: limits.zeroesBytesMax }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'initBegin' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'initEnd' as const }) },
  );
}

export function steps(limits: StepLimits): fc.Arbitrary<Step[]> {
  const at = fc.nat(limits.sizeBytes - 1);
  const length = fc.integer({ min: 1, max: limits.sizeBytes });
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        step: fc.constant('append' as const),
        records: fc.array(records(limits), { minLength: 1, maxLength: 6 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ step: 'newSession' as const }) },
    { weight: 6, arbitrary: fc.record({ step: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 1, arbitrary: fc.constant({ step: 'pause' as const }) },
    { weight: 1, arbitrary: fc.constant({ step: 'resume' as const }) },
    { weight: 3, arbitrary: fc.record({ step: fc.constant('openImage' as const), share }) },
    { weight: 4, arbitrary: fc.record({ step: fc.constant('readImages' as const), at, length }) },
    { weight: 1, arbitrary: fc.constant({ step: 'closeImage' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        step: fc.constant('retain' as const),
        shares: fc.array(fc.oneof(fc.constant(0), share), { maxLength: 6 }),
        // Mostly all that is applied, so that much lies between the single positions.
        everyFrom: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: share }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ step: 'closeAndReopen' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({ step: fc.constant('dieAfter' as const), calls: fc.nat(20), tornShare: share }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant('crash' as const),
        openingCalls: fc.option(fc.nat(6), { nil: undefined }),
      }),
    },
  );
  return fc.array(step, { minLength: limits.stepsMin, maxLength: limits.stepsMax, size: 'max' });
}
