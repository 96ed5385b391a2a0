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
  /** Process id while it lives. */
  readonly pid: number | undefined;
  /** Starts a life unless one is running. @throws Error when that isn't possible */
  begin(): Promise<void>;
  /** Resolves to a line with its addresses once it serves. Rejects when this life ends first. */
  serving(): Promise<string>;
  /** Resolves when this life ends. */
  ended(): Promise<ProcessEnd>;
  /** Whether it answers now; false after a few seconds without an answer. Never rejects. */
  answers(): Promise<boolean>;
  /**
   * Ends it by SIGKILL and resolves once it is gone. Safe to call when it is gone already.
   * @throws Error when the system doesn't remove it
   */
  kill(): Promise<void>;
  /** Stops it orderly. Safe to call when it is gone already. */
  stop(): Promise<void>;
}
