// Compares doubted regions with the replica. Only digests cross the link, and equal regions are not
// sent.
import type { Credentials } from '../../../control/credentials.js';
import { createApiClient } from '../../../control/client.js';
import { applianceApi } from '../../../contracts/appliance-api.js';
import type { WriteMark } from '../../../contracts/attempt.js';
import { hasRemedy } from '../../../contracts/error-registry.js';
import { MoverError } from '../../../contracts/errors.js';
import type { Calls } from '../../../contracts/route.js';
import { MARK_WAIT_MS_MAX } from '../../../contracts/verify.js';
import { newDigestKey, RegionDigester } from '../../digest/region-digest.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';

/** Digests per call: those of 16 MiB of the volume. */
const DIGESTS_PER_CALL = 256;
/** Regions per call, 64 GiB: a hole on both ends is counted off the marks by pages. */
const REGIONS_PER_CALL = 1024 * 1024;
/**
 * How long the replica site may take to apply what was sent before the comparison began, in
 * milliseconds. After that it is asked again.
 */
const APPLIED_WITHIN_MS = MARK_WAIT_MS_MAX;
/**
 * Longest wait for one answer, in milliseconds: more than the wait above, or than a slow disk's
 * digests.
 */
const ANSWER_MS_MAX = 30_000;

interface Comparison {
  readonly appliance: Pick<Calls<typeof applianceApi>, 'openMarkImage' | 'digestImage' | 'closeMarkImage'>;
  readonly mark: WriteMark;
  readonly image: string;
  readonly digester: RegionDigester;
  /** First region of the next call. */
  nextRegion: number;
}

export class Comparisons {
  readonly #splitter: string;
  readonly #credentials: Credentials | undefined;
  readonly #open = new Map<ProtectedVolume, Comparison>();

  constructor(splitter: string, credentials: Credentials | undefined) {
    this.#splitter = splitter;
    this.#credentials = credentials;
  }

  /**
   * Compares the next doubted regions with the replica at the start of the short initialization.
   * Everything sent since comes on top of that, in order.
   * @throws MoverError when the replica site can't answer now; the system's error when the source
   * can't be read
   */
  async step(volume: ProtectedVolume): Promise<void> {
    const { marks, initializationMark: mark } = volume.split;
    if (mark === undefined) return;
    try {
      const comparison = await this.#comparison(volume, mark);
      const from = marks.nextDoubted(comparison.nextRegion) ?? marks.nextDoubted(0);
      if (from === undefined) return;
      const count = Math.min(REGIONS_PER_CALL, marks.regions - from);
      const { appliance, image, digester } = comparison;
      const { digests } = await appliance.digestImage({ image, from, count, digestsMax: DIGESTS_PER_CALL });
      let region = from;
      for (const digest of digests) {
        if (typeof digest === 'number') await volume.compareHole(region, digest, digester, mark);
        else if (marks.isDoubted(region)) await volume.compare(region, digest, digester, mark);
        region += typeof digest === 'number' ? digest : 1;
      }
      comparison.nextRegion = region;
    } catch (error) {
      this.#open.delete(volume);
      if (!(error instanceof MoverError) || error.retryable || hasRemedy(error.code, 'new-image')) throw error;
      // The replica can't be read for comparing: everything doubted is sent.
      marks.giveUpComparing();
    }
  }

  /**
   * Ends the volume's comparison. Never rejects: an image left open is closed by its idle limit.
   */
  async end(volume: ProtectedVolume): Promise<void> {
    const comparison = this.#open.get(volume);
    if (comparison === undefined) return;
    this.#open.delete(volume);
    await comparison.appliance.closeMarkImage({ image: comparison.image }).catch(() => undefined);
  }

  async #comparison(volume: ProtectedVolume, mark: WriteMark): Promise<Comparison> {
    const known = this.#open.get(volume);
    if (known?.mark.session === mark.session && known.mark.n === mark.n) return known;
    const { url: baseUrl } = volume.split.row.route;
    const appliance = createApiClient(applianceApi, {
      baseUrl,
      credentials: this.#credentials,
      timeoutMs: ANSWER_MS_MAX,
    });
    // The image is of an instant that has passed, so the key is newer than its content.
    const key = newDigestKey();
    const { image } = await appliance.openMarkImage({
      volume: volume.id,
      mark,
      waitMs: APPLIED_WITHIN_MS,
      evenInHole: true,
      client: `splitter ${this.#splitter}, comparing`,
      key,
    });
    const comparison: Comparison = { appliance, mark, image, digester: new RegionDigester(key), nextRegion: 0 };
    this.#open.set(volume, comparison);
    return comparison;
  }
}
