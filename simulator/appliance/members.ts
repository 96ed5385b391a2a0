// Keeps the appliance's knowledge of memberships up to date: asks the replica site about volumes it
// doesn't know.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { AttachedVolume } from './relay.js';
import { Membership, type Ownership } from './core/membership.js';
import type { SiteClient } from './site-client.js';

/**
 * Most volumes asked about one by one. For more at once (a start, a reconnection) the whole listing
 * is cheaper.
 */
const SINGLE_QUERIES_MAX = 16;
const RETRY_MS = 1_000;

export interface MembersOptions {
  readonly site: SiteClient;
  readonly log: Logger;
  /** Called for each volume whose owner has become known. */
  readonly onLearned: (volume: VolumeId) => void;
}

export class Members {
  readonly known = new Membership();
  readonly #options: MembersOptions;
  readonly #wanted = new Set<VolumeId>();
  readonly #stopping = new AbortController();
  #everything = true;
  #asking = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: MembersOptions) {
    this.#options = options;
    setMaxListeners(SINGLE_QUERIES_MAX, this.#stopping.signal);
  }

  /** Asks for all memberships, in the background. */
  start(): void {
    void this.#ask();
  }

  /**
   * Notes an attached volume. Asks for its owner if the epoch is new: an epoch's owner is fixed.
   */
  attached({ volume, epoch }: AttachedVolume): void {
    const owner = this.known.ownerOf(volume);
    if (owner !== undefined && owner.epoch >= epoch) {
      this.#options.onLearned(volume);
      return;
    }
    this.#wanted.add(volume);
    void this.#ask();
  }

  /** Asks who owns a volume: its stream was detached, or no listing has it any more. */
  askAgain(volume: VolumeId): void {
    this.#wanted.add(volume);
    void this.#ask();
  }

  /** Asks for all members of a group. @throws MoverError UNREACHABLE, LINK_DOWN */
  async refreshGroup(group: GroupId, signal?: AbortSignal): Promise<void> {
    this.known.learnGroup(group, await this.#options.site.volumes({ group }, signal));
  }

  learnPoint(point: RecoveryPoint): void {
    for (const volume of this.known.learnPoint(point)) this.#wanted.add(volume);
    if (this.#wanted.size > 0) void this.#ask();
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#retry);
  }

  /** Asks for whatever is wanted, one query round at a time. Never rejects. */
  async #ask(): Promise<void> {
    if (this.#asking || this.#retry !== undefined) return;
    this.#asking = true;
    try {
      while (this.#everything || this.#wanted.size > 0) await this.#askOnce();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#options.log.debug({ err: error }, 'memberships could not be asked for');
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        void this.#ask();
      }, RETRY_MS);
    } finally {
      this.#asking = false;
    }
  }

  async #askOnce(): Promise<void> {
    const { site, onLearned } = this.#options;
    const { signal } = this.#stopping;
    const wanted = [...this.#wanted];
    const everything = this.#everything || wanted.length > SINGLE_QUERIES_MAX;
    const rows = everything
      ? await site.volumes({}, signal)
      : (await Promise.all(wanted.map(async (volume) => this.#rowsOf(volume)))).flat();
    for (const row of rows) this.known.learn(row);
    for (const volume of wanted) {
      this.#wanted.delete(volume);
      onLearned(volume);
    }
    if (everything) this.#everything = false;
  }

  /**
   * The volume's row; empty if the replica site doesn't have the volume or leaves it out (asking
   * again would not help).
   */
  async #rowsOf(volume: VolumeId): Promise<Ownership[]> {
    try {
      return await this.#options.site.volumes({ volume }, this.#stopping.signal);
    } catch (error) {
      if (error instanceof MoverError && (error.code === 'VOLUME_NOT_FOUND' || error.code === 'VOLUME_UNUSABLE'))
        return [];
      throw error;
    }
  }
}
