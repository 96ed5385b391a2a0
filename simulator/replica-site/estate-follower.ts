// Brings the site's rows in line with the estate file at the start, and tells what still differs.
// If the disk can't store the change now, it retries.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { RetryPauses } from '../disk/retry-pauses.js';
import { type Drift, estateDrift } from './core/estate-drift.js';
import { followEstate } from './core/from-estate.js';
import { endLapsed } from './core/ways-back.js';
import type { Site } from './site.js';

/** Differences that health names. More are counted. */
const NOTES_MAX = 20;

export class EstateFollower {
  readonly #site: Pick<Site, 'change' | 'state'>;
  readonly #estate: Estate;
  readonly #log: Pick<Logger, 'warn' | 'info'>;
  readonly #pauses = new RetryPauses();
  #retry: NodeJS.Timeout | undefined;
  #drift: readonly Drift[] = [];

  constructor(site: Pick<Site, 'change' | 'state'>, estate: Estate, log: Pick<Logger, 'warn' | 'info'>) {
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
      this.#site.change((state, now) => {
        // A group that keeps a way back is not changed: those that ended meanwhile keep it no more.
        endLapsed(state, now);
        followEstate(state, this.#estate, now.wallMs);
      });
      this.#drift = estateDrift(this.#site.state, this.#estate);
      for (const { sentence } of this.#drift) this.#log.warn(sentence);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#log.warn({ code: error.code, reason: error.message }, 'the estate file could not be followed yet');
      this.#retry = setTimeout(() => this.follow(), this.#pauses.next());
      this.#retry.unref();
    }
  }

  /** What the file and the site differ in, or that the file is not followed yet, in sentences. */
  get notes(): string[] {
    if (this.#retry !== undefined)
      return [
        'The site still uses the old estate file: the changes could not be stored. It tries again by itself; check the disk of its data folder.',
      ];
    const { state } = this.#site;
    const drift = this.#drift.filter(({ holds }) => holds(state)).map(({ sentence }) => sentence);
    if (drift.length <= NOTES_MAX) return drift;
    return [
      ...drift.slice(0, NOTES_MAX),
      `The estate file differs in ${drift.length - NOTES_MAX} more places: the log of the replica site's start has all of them.`,
    ];
  }

  stop(): void {
    clearTimeout(this.#retry);
  }
}
