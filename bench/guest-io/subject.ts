// What can be measured: a server of one disk over NBD, with what it still has to bring to the second copy.

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
  /** Acknowledged bytes that the second copy lacks; 0 for whoever has none. @throws Error when it no longer does its job */
  readonly behindBytes: () => Promise<number>;
  /** To be called once, with nothing behind; no run after it. @throws Error when the second copy is not the first */
  readonly prove: () => Promise<void>;
  /** Stops everything, whatever state it is in. Safe to call twice. */
  readonly stop: () => Promise<void>;
}
