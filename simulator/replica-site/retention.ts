// Lets go of UNDO that no recovery point needs any more: now and then, and only of volumes that have some.
import type { Logger } from 'pino';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VolumeId } from '../../contracts/ids.js';
import { RetentionWalk } from './core/retained.js';
import type { Journals } from './journals.js';
import type { Site } from './site.js';

/**
 * How often. Longer than a point may wait for its cuts (30 s): a volume that no point names is trimmed up to where it stood one round
 * ago, and a point that was being closed then is there by now.
 */
export const RETENTION_EVERY_MS = 60_000;

export interface RetentionOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly everyMs: number;
  readonly log: Logger;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  /** Volumes whose UNDO may not be trimmed as far as it could, with what was applied of each one round ago. */
  #candidates = new Map<VolumeId, number>();
  #running: Promise<void> | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#running ??= this.#trim().finally(() => {
        this.#running = undefined;
      });
    }, options.everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }

  /** Never rejects. */
  async #trim(): Promise<void> {
    const { site, journals, log } = this.#options;
    const ceilings = this.#candidates;
    this.#candidates = new Map();
    for (const [volume, { applied, trimPosition, failure }] of journals.open) {
      if (failure === undefined && trimPosition < applied.position) this.#candidates.set(volume, applied.position);
    }
    const walk = new RetentionWalk(site.state, ceilings);
    while (!walk.step()) {
      await nextTurn();
      if (this.#stopping.signal.aborted) return;
    }
    for (const [volume, position] of walk.oldest) {
      const journal = journals.open.get(volume);
      if (journal === undefined || journal.failure !== undefined || position <= journal.trimPosition) continue;
      try {
        const trimPosition = await journal.trimUndo(position);
        log.debug({ volume, trimPosition }, 'UNDO trimmed');
      } catch (error) {
        log.warn({ err: error, volume }, 'UNDO could not be trimmed');
      }
      if (this.#stopping.signal.aborted) return;
    }
  }
}
