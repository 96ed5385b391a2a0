// Whether the replica site can be reached now. An appliance is of no use without it.
import { PROBES } from '../../contracts/health.js';
import { isSilence } from '../../contracts/errors.js';
import { createApiClient } from '../../control/client.js';
import type { Credentials } from '../../control/credentials.js';
import { Remembered } from '../../control/remembered.js';
import type { Link } from './link.js';

/** Longest wait for a sign of life, ms: shorter than the patience of those who ask. */
const ANSWER_MS_MAX = 1_000;
/** How long an answer counts, ms. */
const AGE_MS_MAX = 1_000;

export class SiteReach {
  readonly #link: Link;
  readonly #answers: Remembered<boolean>;

  constructor({ url, credentials, link }: { url: string; credentials: Credentials | undefined; link: Link }) {
    this.#link = link;
    const { live } = createApiClient(PROBES, { baseUrl: url, credentials, timeoutMs: ANSWER_MS_MAX });
    this.#answers = new Remembered(async () => {
      try {
        await live({});
        return true;
      } catch (error) {
        // A refusal is an answer: a site of an earlier version has no such probe.
        return !isSilence(error);
      }
    }, AGE_MS_MAX);
  }

  /** Asks, no more than once a second; a cut link needs no asking. */
  async isThere(): Promise<boolean> {
    return !this.#link.state.cut && (await this.#answers.get());
  }
}
