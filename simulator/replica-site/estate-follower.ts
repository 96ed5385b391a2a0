// Brings the site's rows in line with the estate file at its start: later, if the disk can't take
// the change now.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { RetryPauses } from '../disk/retry-pauses.js';
import { followEstate } from './core/from-estate.js';
import type { Site } from './site.js';

export class EstateFollower {
  readonly #site: Pick<Site, 'change'>;
  readonly #estate: Estate;
  readonly #log: Pick<Logger, 'warn' | 'info'>;
  readonly #pauses = new RetryPauses();
  #retry: NodeJS.Timeout | undefined;

  constructor(site: Pick<Site, 'change'>, estate: Estate, log: Pick<Logger, 'warn' | 'info'>) {
    this.#site = site;
    this.#estate = estate;
    this.#log = log;
  }

  /**
   * Until it is stored the site goes on with what it knew.
   * @throws what is no failure of the store
   */
  follow(): void {
    this.#retry = undefined;
    try {
      for (const contradiction of this.#site.change((state, now) => followEstate(state, this.#estate, now.wallMs)))
        this.#log.warn(contradiction);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#log.warn({ code: error.code, reason: error.message }, 'the estate file could not be followed yet');
      this.#retry = setTimeout(() => this.follow(), this.#pauses.next());
      this.#retry.unref();
    }
  }

  /** What is wrong, in a sentence; nothing once the file is followed. */
  get note(): string | undefined {
    return this.#retry === undefined
      ? undefined
      : 'What is new in the estate file is not in force yet: it could not be stored. It is tried again by itself.';
  }

  stop(): void {
    clearTimeout(this.#retry);
  }
}
