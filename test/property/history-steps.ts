// What happens to an estate in one random run, as data: fast-check makes it, shrinks it and prints
// it.
import fc from 'fast-check';

export const VOLUMES = ['v1', 'v2', 'v3'] as const;
export const GROUPS = ['g1', 'g2', 'g3'] as const;
export const BLOCK_BYTES = 4_096;
/** The first is odd on purpose: nothing may depend on whole blocks. The others can grow. */
export const SIZE_BYTES = { v1: 14_000, v2: 3 * BLOCK_BYTES, v3: 2 * BLOCK_BYTES } as const;
/** No volume grows beyond this. */
export const SIZE_BYTES_MAX = 8 * BLOCK_BYTES;
const WRITE_BYTES_MAX = 5_000;

type VolumeName = (typeof VOLUMES)[number];
type GrowingName = Exclude<VolumeName, 'v1'>;
type GroupName = (typeof GROUPS)[number];

export interface Write {
  /** Counts around: a volume may be smaller. */
  readonly at: number;
  readonly length: number;
  /** Undefined: zeroes. */
  readonly seed: number | undefined;
}

export type HistoryStep =
  | { readonly step: 'write'; readonly volume: VolumeName; readonly writes: readonly Write[] }
  /** Marks had to be used: some writes arrive as a short initialization only. */
  | { readonly step: 'hole'; readonly volume: VolumeName; readonly writes: readonly Write[]; readonly ends: boolean }
  /** The replica site takes the larger size, and then, if it comes to that, the splitter has it. */
  | { readonly step: 'grow'; readonly volume: GrowingName; readonly blocks: number; readonly serves: boolean }
  | { readonly step: 'turns'; readonly count: number }
  | { readonly step: 'point'; readonly group: GroupName }
  | {
      readonly step: 'bookmark';
      readonly group: GroupName;
      readonly keep: 'policy' | 'forever' | { readonly forMs: number };
    }
  /** The volumes' group is that of the first; those elsewhere stay. */
  | { readonly step: 'openMove'; readonly volumes: readonly VolumeName[]; readonly to: GroupName }
  /** The next step of every move under way, or its end. */
  | { readonly step: 'advanceMoves'; readonly abort: boolean }
  | { readonly step: 'later'; readonly minutes: number }
  | { readonly step: 'retention' }
  | { readonly step: 'openImage'; readonly share: number }
  | { readonly step: 'readImages' }
  | { readonly step: 'closeImage' }
  | { readonly step: 'splitterRestart'; readonly volume: VolumeName }
  | { readonly step: 'siteRestart' }
  /** The site is killed at the n-th change of its files from here on. */
  | { readonly step: 'dieAfter'; readonly calls: number; readonly tornShare: number };

/** Numbers from 0 to 1, evenly: those of `fc.double` are mostly tiny. */
const share = fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000);
const volume = fc.constantFrom(...VOLUMES);
const group = fc.constantFrom(...GROUPS);
const writes = fc.array(
  fc.record({
    at: fc.nat(SIZE_BYTES_MAX - 1),
    length: fc.integer({ min: 1, max: WRITE_BYTES_MAX }),
    seed: fc.option(fc.nat(255), { freq: 6, nil: undefined }),
  }),
  { minLength: 1, maxLength: 5 },
);

const step: fc.Arbitrary<HistoryStep> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ step: fc.constant('write' as const), volume, writes }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('hole' as const), volume, writes, ends: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('grow' as const),
      volume: fc.constantFrom('v2' as const, 'v3' as const),
      blocks: fc.integer({ min: 1, max: 3 }),
      serves: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 6, arbitrary: fc.record({ step: fc.constant('point' as const), group }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('bookmark' as const),
      group,
      keep: fc.oneof(
        fc.constantFrom('policy' as const, 'forever' as const),
        fc.record({ forMs: fc.integer({ min: 1, max: 100 * 3_600_000 }) }),
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('openMove' as const),
      volumes: fc.uniqueArray(volume, { minLength: 1, maxLength: 3 }),
      to: group,
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      step: fc.constant('advanceMoves' as const),
      abort: fc.integer({ max: 7, min: 0 }).map((n) => n === 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ step: fc.constant('later' as const), minutes: fc.integer({ min: 1, max: 600 }) }),
  },
  { weight: 5, arbitrary: fc.constant({ step: 'retention' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('openImage' as const),
      share: share,
    }),
  },
  { weight: 2, arbitrary: fc.constant({ step: 'readImages' as const }) },
  { weight: 1, arbitrary: fc.constant({ step: 'closeImage' as const }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('splitterRestart' as const), volume }) },
  { weight: 1, arbitrary: fc.constant({ step: 'siteRestart' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('dieAfter' as const),
      calls: fc.nat(25),
      tornShare: share,
    }),
  },
);

export const history = fc.array(step, { minLength: 5, maxLength: 70, size: 'max' });
