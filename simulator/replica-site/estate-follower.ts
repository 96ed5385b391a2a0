// Brings the site's rows in line with the estate file at the start. If the disk can't store the
// change now, it retries.
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
   * Follows the file. Until the change is stored, the site uses what it knew before.
   * @throws errors other than the store's
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

  /** A sentence while the file is not followed; undefined once it is. */
  get note(): string | undefined {
    return this.#retry === undefined
      ? undefined
      : 'The site still uses the old estate file: the changes could not be stored. It tries again by itself; check the disk of its data folder.';
  }

  stop(): void {
    clearTimeout(this.#retry);
  }
}
