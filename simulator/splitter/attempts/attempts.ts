// Attempts whose orchestrator is silent: asks for their verdicts and learns them.
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import { MoverError } from '../../../contracts/errors.js';
import type { SplitterId } from '../../../contracts/ids.js';
import type { AskedVerdict, PendingVerdict, SplitterCore } from '../core/splitter-core.js';
import type { VolumeSplitRow } from '../core/volume-split.js';
import { monotonicMs, nowMs } from '../shared/clock.js';
import { Notices } from './notices.js';
import { Verdicts } from './verdicts.js';

export interface AttemptsOptions {
  readonly splitter: SplitterId;
  readonly core: SplitterCore;
  readonly credentials: Credentials | undefined;
  readonly log: Logger;
}

export class Attempts {
  readonly #core: SplitterCore;
  readonly #log: Logger;
  readonly #verdicts: Verdicts;
  readonly #notices: Notices;

  constructor({ splitter, core, credentials, log }: AttemptsOptions) {
    this.#core = core;
    this.#log = log;
    this.#verdicts = new Verdicts({
      splitter,
      credentials,
      log,
      tick: () => core.tick(monotonicMs()),
      learn: (pending, verdict) => this.#learn(pending, verdict),
    });
    this.#notices = new Notices({
      announced: () => core.announced(),
      ask: async (pending) => this.#verdicts.askOnce(pending, true),
      learn: (pending, verdict) => this.#tryToLearn(pending, verdict),
      log,
    });
  }

  /** Takes note of the fence in a new or changed row, or of its absence. */
  follow(row: VolumeSplitRow): void {
    this.#verdicts.follow(row, this.#core.volume(row.volume).leaseEndsAtMs);
  }

  stop(): void {
    this.#verdicts.stop();
    this.#notices.stop();
  }

  /**
   * Learns a verdict that was asked for, unless it is not needed any more.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED: learn it again
   */
  #learn(pending: PendingVerdict, verdict: AskedVerdict): void {
    try {
      this.#core.learnPending(pending, verdict, nowMs());
    } catch (error) {
      if (!(error instanceof MoverError) || error.code === 'STORAGE_FULL' || error.code === 'STORAGE_FAILED')
        throw error;
      this.#log.warn({ err: error }, 'the requested verdict is not needed any more');
    }
  }

  #tryToLearn(pending: PendingVerdict, verdict: AskedVerdict): void {
    try {
      this.#learn(pending, verdict);
    } catch (error) {
      this.#log.warn({ err: error }, 'a verdict could not be stored: it is asked for again');
    }
  }
}
