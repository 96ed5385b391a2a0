// What can be measured: a server of one disk over NBD, with what it still has to bring to the
// second copy.

export interface Subject {
  readonly name: string;
  /** For people: what it is and with which settings. */
  readonly what: string;
  readonly start: (stand: Stand) => Promise<RunningSubject>;
}

export interface Stand {
  /** Of this start's own, empty. */
  readonly folder: string;
  readonly sizeBytes: number;
  readonly profileFolder: string | undefined;
}

export interface RunningSubject {
  readonly uri: string;
  /** By the name of the process: its id. */
  readonly processes: ReadonlyMap<string, number>;
  /** @throws Error when it no longer does its job at all */
  readonly secondCopy: () => Promise<SecondCopy>;
  /**
   * To be called once, with nothing behind; no run after it.
   * @throws Error when the second copy is not the first
   */
  readonly prove: () => Promise<void>;
  /** Stops everything, whatever state it is in. Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** How the second copy stands; whoever has none is never behind. */
export interface SecondCopy {
  /** Acknowledged bytes that it lacks and that are on their way to it. */
  readonly behindBytes: number;
  /**
   * Whether it gets the writes in their order; not while only marks are kept, or what they mark is
   * sent again.
   */
  readonly inOrder: boolean;
  /**
   * Bytes sent again so far: grows when the order was given up, even if it is kept again by now.
   */
  readonly resentBytes: number;
}

export const NOTHING_BEHIND: SecondCopy = { behindBytes: 0, inOrder: true, resentBytes: 0 };
