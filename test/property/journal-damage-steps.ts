// What happens to a volume and to its files in one random life, as data.
import fc from 'fast-check';

/** Odd on purpose: nothing may depend on whole blocks. */
export const SIZE_BYTES = 26_000;

export interface Write {
  readonly offset: number;
  readonly length: number;
  readonly isZero: boolean;
}

/** `share` tells the place in the file that `file` chooses. */
export interface Harm {
  readonly how: 'flip' | 'truncate' | 'delete';
  readonly file: number;
  readonly share: number;
  readonly bit: number;
}

interface Chapter {
  readonly writes: readonly Write[];
  /** Positions that retention keeps, as shares (0 to 1) of the position that `everyFrom` means. */
  readonly keep: readonly number[];
  /** Retention keeps every position from here on: a share (0 to 1) of the applied positions. */
  readonly everyFrom: number;
  /** Writes after retention. */
  readonly more: readonly Write[];
  /** Whether the journal is closed before its files are damaged, or its process is killed. */
  readonly closes: boolean;
  readonly harms: readonly Harm[];
  /** The next opening is told which positions there were. */
  readonly isRemembered: boolean;
}

export interface Life {
  readonly sync: boolean;
  readonly chapters: readonly Chapter[];
  readonly last: readonly Write[];
}

const share = fc.integer({ min: 0, max: 1_000_000 }).map((one) => one / 1_000_000);
const writes = (maxLength: number): fc.Arbitrary<Write[]> =>
  fc.array(
    fc.record({
      offset: fc.oneof(
        fc.nat(SIZE_BYTES - 1),
        fc.nat(5).map((block) => block * 4_096),
      ),
      length: fc.oneof(fc.integer({ min: 1, max: 6_000 }), fc.constant(4_096)),
      isZero: fc.integer({ min: 0, max: 6 }).map((one) => one === 0),
    }),
    { maxLength, size: 'max' },
  );
const harm: fc.Arbitrary<Harm> = fc.record({
  how: fc.constantFrom('flip' as const, 'flip' as const, 'flip' as const, 'truncate' as const, 'delete' as const),
  file: fc.nat(1_000),
  share,
  bit: fc.nat(7),
});
const chapter: fc.Arbitrary<Chapter> = fc.record({
  writes: writes(14),
  keep: fc.array(share, { maxLength: 3 }),
  everyFrom: share,
  more: writes(8),
  closes: fc.boolean(),
  harms: fc.array(harm, { maxLength: 3, size: 'max' }),
  isRemembered: fc.boolean(),
});

export const life: fc.Arbitrary<Life> = fc.record({
  sync: fc.boolean(),
  chapters: fc.array(chapter, { minLength: 1, maxLength: 3, size: 'max' }),
  last: writes(5),
});
