// Withdraws notices of abandoned moves: an orchestrator that was terminated, or whose attempt the
// replica site has lost, compensates nothing.
import type { Logger } from 'pino';
import { attemptName, type Verdict } from '../../../contracts/attempt.js';
import type { PendingVerdict } from '../core/splitter-core.js';

/**
 * Interval between looks, in milliseconds. A notice seen at two looks in a row is asked about.
 * Longer than a move usually takes to its fence.
 */
const LOOK_EVERY_MS = 30_000;

export interface NoticesOptions {
  readonly announced: () => readonly PendingVerdict[];
  /**
   * Asks for the verdict; undefined while the attempt's lease runs, or when no resolver answers.
   */
  readonly ask: (pending: PendingVerdict) => Promise<Verdict | undefined>;
  readonly learn: (pending: PendingVerdict, verdict: Verdict) => void;
  readonly log: Logger;
  /** Replaces LOOK_EVERY_MS in tests. */
  readonly lookEveryMs?: number | undefined;
}

export class Notices {
  readonly #options: NoticesOptions;
  readonly #timer: NodeJS.Timeout;
  /** Tickets announced at the last look. */
  #seen: ReadonlySet<number> = new Set();
  #asking = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.lookEveryMs ?? LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks about notices seen at the last look too. Never rejects. */
  async #look(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { announced, ask, learn, log } = this.#options;
    const now = announced();
    const old = now.filter(({ attempt }) => this.#seen.has(attempt.ticket));
    this.#seen = new Set(now.map(({ attempt }) => attempt.ticket));
    for (const pending of old) {
      const verdict = await ask(pending);
      if (verdict === undefined) continue;
      log.info(
        { attempt: attemptName(pending.attempt), verdict },
        'an announced move is over: its notice is withdrawn',
      );
      learn(pending, verdict);
    }
    this.#asking = false;
  }
}
