// A subject of measurement: a server of one disk over NBD, and the state of its second copy.

export interface Subject {
  readonly name: string;
  /** Description for people: what it is, with its settings. */
  readonly what: string;
  readonly start: (options: SubjectOptions) => Promise<RunningSubject>;
}

export interface SubjectOptions {
  /** The subject's own folder, empty at first. */
  readonly folder: string;
  readonly sizeBytes: number;
  readonly profileFolder: string | undefined;
}

export interface RunningSubject {
  readonly uri: string;
  /** Process ids, keyed by process name. */
  readonly processes: ReadonlyMap<string, number>;
  /** The second copy's state now. @throws Error when the subject no longer works */
  readonly secondCopy: () => Promise<SecondCopy>;
  /**
   * Compares both copies. Call it once, after the last run, when the second copy has caught up.
   * @throws Error when the copies differ
   */
  readonly prove: () => Promise<void>;
  /** Stops everything, in any state. Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** State of the second copy. A subject without one is never behind. */
export interface SecondCopy {
  /** Acknowledged bytes that it lacks and that are on the way to it. */
  readonly behindBytes: number;
  /** Whether it gets the writes in order: false while marks are kept or marked regions resent. */
  readonly inOrder: boolean;
  /** Bytes sent again so far: grows when the order was given up, even if restored since. */
  readonly resentBytes: number;
}

export const NOTHING_BEHIND: SecondCopy = { behindBytes: 0, inOrder: true, resentBytes: 0 };
