// What the supervisor needs of a process: one of the estate's own, or the Temporal server.
import type { ProcessEnd } from './process-end.js';

export interface Supervised {
  readonly id: string;
  /** @example "The splitter host-1" */
  readonly name: string;
  /** What its absence means for the user's data, in sentences. */
  readonly meaning: string;
  readonly dataFolder: string;
  readonly logFile: string;
  /** Of the living process. */
  readonly pid: number | undefined;
  /** Starts a life unless there is one. @throws Error when that is not possible */
  begin(): Promise<void>;
  /** Resolves to a line about where it serves. Rejects when the present life ends first. */
  serving(): Promise<string>;
  /** Resolves when the present life is over. */
  ended(): Promise<ProcessEnd>;
  /**
   * Whether it answers, now. Never rejects; an answer that doesn't come is a no after a few
   * seconds.
   */
  answers(): Promise<boolean>;
  /** With SIGKILL; resolves when it is gone. Safe to call when it is. */
  kill(): Promise<void>;
  /** Orderly. Safe to call when it is gone. */
  stop(): Promise<void>;
}
