// All current streams: which splitter has attached which volume here.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { Credentials } from '../../control/credentials.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { ownRefusal } from '../control-server/own-refusal.js';
import { connectStream } from '../stream/connect.js';
import type { FrameConnection } from '../stream/connection.js';
import type { Link } from './link.js';
import { Relay, type AttachedVolume, type SplitterAddress } from './relay.js';

export interface RelaysOptions {
  readonly siteUrl: string;
  readonly credentials: Credentials | undefined;
  readonly link: Link;
  readonly onAttached: (attached: AttachedVolume) => void;
  /** Called when no splitter has the volume attached here any more. */
  readonly onDetached: (volume: VolumeId) => void;
  readonly log: Logger;
}

export class Relays {
  readonly #options: RelaysOptions;
  readonly #relays = new Set<Relay>();
  readonly #byVolume = new Map<VolumeId, Set<Relay>>();
  readonly #stopping = new AbortController();
  /** Set by a failed connection: it is logged once, not for each splitter that retries. */
  #siteGone = false;
  #refusal: string | undefined;

  constructor(options: RelaysOptions) {
    this.#options = options;
    // One listener per splitter that is connecting.
    setMaxListeners(0, this.#stopping.signal);
  }

  /**
   * Relays a stream that a splitter opened. Never rejects: a stream that can't be relayed is
   * closed, and the splitter tries again.
   */
  async accept(downstream: FrameConnection): Promise<void> {
    const { siteUrl, credentials, link, onAttached, log } = this.#options;
    try {
      const upstream = await link.call(
        async (signal) => connectStream({ url: siteUrl, credentials, signal }),
        this.#stopping.signal,
      );
      const relay = new Relay({
        downstream,
        upstream,
        link,
        events: {
          onAttached: (from, attached) => {
            this.#byVolume.set(attached.volume, (this.#byVolume.get(attached.volume) ?? new Set()).add(from));
            onAttached(attached);
          },
          onDetached: (from, volume) => this.#detached(from, volume),
          onClosed: (from) => this.#relays.delete(from),
        },
        log,
      });
      this.#relays.add(relay);
      relay.start();
      if (this.#siteGone) log.info('the replica site can be reached again');
      this.#siteGone = false;
      this.#refusal = undefined;
    } catch (error) {
      downstream.close();
      this.#refusal = ownRefusal(error, 'An appliance needs the role admin at the replica site.')?.message;
      if (this.#siteGone || this.#stopping.signal.aborted) return;
      this.#siteGone = true;
      log.warn({ err: error }, 'no stream to the replica site');
    }
  }

  /** Whether the last connection to the replica site failed. */
  get siteGone(): boolean {
    return this.#siteGone;
  }

  /** Why the replica site did not let this appliance in then; undefined when it did. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  isAttached(volume: VolumeId): boolean {
    return this.#byVolume.has(volume);
  }

  /** The splitters that have any of the volumes attached, each once. */
  splittersOf(volumes: Iterable<VolumeId>): SplitterAddress[] {
    const addresses = new Map<string, SplitterAddress>();
    for (const volume of volumes) {
      for (const { address } of this.#byVolume.get(volume) ?? [])
        if (address !== undefined) addresses.set(address.splitter, address);
    }
    return [...addresses.values()];
  }

  bytesInFlight(volume: VolumeId): number {
    let bytes = 0;
    for (const relay of this.#byVolume.get(volume) ?? []) bytes += relay.bytesInFlight(volume);
    return bytes;
  }

  /** Bytes of all volumes that were relayed and aren't confirmed yet. */
  get allBytesInFlight(): number {
    let bytes = 0;
    for (const relay of this.#relays) bytes += relay.allBytesInFlight;
    return bytes;
  }

  /** Connected splitters. */
  get streams(): number {
    return this.#relays.size;
  }

  /** Attached volumes. */
  get attachedVolumes(): number {
    return this.#byVolume.size;
  }

  send(type: 'pause' | 'resume', volumes: ReadonlySet<VolumeId>): void {
    for (const relay of this.#relays) relay.send(type, (volume) => volumes.has(volume));
  }

  stop(): void {
    this.#stopping.abort(new MoverError('SHUTTING_DOWN', 'The appliance is shutting down.'));
    for (const relay of this.#relays) relay.close();
  }

  #detached(relay: Relay, volume: VolumeId): void {
    const relays = this.#byVolume.get(volume);
    relays?.delete(relay);
    if (relays?.size !== 0) return;
    this.#byVolume.delete(volume);
    this.#options.onDetached(volume);
  }
}
