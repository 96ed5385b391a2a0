// What a planted bug is. The bank holds realistic one-line bugs: each must be found by a test or by
// the simulation.

/** Kinds of mistakes that people make. */
export type BugKind =
  | 'missing guard'
  | 'inverted guard'
  | 'off by one'
  | 'wrong side'
  | 'wrong value'
  | 'wrong order'
  | 'forgotten field'
  | 'forgotten change'
  | 'only some'
  | 'early return'
  | 'missing await';

export interface Bug {
  /** `room/what-is-wrong`; unique. */
  readonly id: string;
  /** Path from the repository's root. */
  readonly file: string;
  /** Text that the file has exactly once. */
  readonly find: string;
  readonly replace: string;
  /** One sentence: what goes wrong for the people who use it. */
  readonly breaks: string;
  readonly kind: BugKind;
  /** Prefixes of test files that judge it, instead of the room's. */
  readonly tests?: readonly string[];
  /** Proof in a sentence that nobody can tell the change from the original. */
  readonly equivalent?: string;
  /** The test that is still missing, in a sentence: the bug survives, and that is known. */
  readonly open?: string;
}

/** The bugs of one part of the product. */
export interface Room {
  readonly name: string;
  /** Prefixes of fast test files that know this part: they judge before the simulation does. */
  readonly tests: readonly string[];
  /** Whether the simulation runs this part at all. */
  readonly simulated: boolean;
  readonly bugs: readonly Bug[];
}
