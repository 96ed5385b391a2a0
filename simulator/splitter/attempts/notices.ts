// Withdraws notices of abandoned moves: an orchestrator that was terminated, or whose attempt the
// replica site has lost, compensates nothing.
import type { Logger } from 'pino';
import { attemptName, ticketedName } from '../../../contracts/attempt.js';
import type { AskedVerdict, PendingVerdict } from '../core/splitter-core.js';

/**
 * Interval between checks, ms: longer than a move usually takes to its fence. A notice that two
 * checks in a row find is asked about.
 */
const CHECK_INTERVAL_MS = 30_000;

export interface NoticesOptions {
  readonly announced: () => readonly PendingVerdict[];
  /**
   * Asks for the verdict; undefined while the attempt's lease runs, or when no resolver answers.
   */
  readonly ask: (pending: PendingVerdict) => Promise<AskedVerdict | undefined>;
  readonly learn: (pending: PendingVerdict, verdict: AskedVerdict) => void;
  readonly log: Logger;
  /** Replaces CHECK_INTERVAL_MS in tests. */
  readonly checkIntervalMs?: number | undefined;
}

export class Notices {
  readonly #options: NoticesOptions;
  readonly #timer: NodeJS.Timeout;
  /** Attempts announced at the last check. */
  #announcedBefore: ReadonlySet<string> = new Set();
  #asking = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#check(), options.checkIntervalMs ?? CHECK_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks about notices that the last check found too. Never rejects. */
  async #check(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { announced, ask, learn, log } = this.#options;
    const current = announced();
    const lasting = current.filter(({ attempt }) => this.#announcedBefore.has(ticketedName(attempt)));
    this.#announcedBefore = new Set(current.map(({ attempt }) => ticketedName(attempt)));
    for (const pending of lasting) {
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
