// Relays one splitter's stream to the replica site and the answers back, frame by frame and
// unchanged, and tracks what it saw.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { CloseReason, FrameConnection, StreamFrame } from '../stream/connection.js';
import type { RawFrame } from '../stream/frame.js';
import { BytesInFlight } from './core/bytes-in-flight.js';
import type { Link, LinkUser } from './link.js';

export interface RelayEvents {
  /** The replica site accepted the attachment. */
  readonly onAttached: (relay: Relay, attached: AttachedVolume) => void;
  /** The volume was detached or refused, or the stream ended. */
  readonly onDetached: (relay: Relay, volume: VolumeId) => void;
  readonly onClosed: (relay: Relay) => void;
}

export interface AttachedVolume {
  readonly volume: VolumeId;
  readonly epoch: number;
}

/** The splitter at the other end of a stream, from its hello. */
export interface SplitterAddress {
  readonly splitter: SplitterId;
  readonly controlUrl: string;
}

export interface RelayOptions {
  readonly downstream: FrameConnection;
  readonly upstream: FrameConnection;
  readonly link: Link;
  readonly events: RelayEvents;
  readonly log: Logger;
}

interface Handle extends AttachedVolume {
  attached: boolean;
  readonly inFlight: BytesInFlight;
}

export class Relay implements LinkUser {
  readonly #downstream: FrameConnection;
  readonly #upstream: FrameConnection;
  readonly #link: Link;
  readonly #events: RelayEvents;
  #log: Logger;
  #address: SplitterAddress | undefined;
  readonly #handles = new Map<number, Handle>();
  /** True while the link is busy: the splitter isn't read then. */
  #throttled = false;
  #upstreamFull = false;
  #closed = false;

  constructor({ downstream, upstream, link, events, log }: RelayOptions) {
    this.#downstream = downstream;
    this.#upstream = upstream;
    this.#link = link;
    this.#events = events;
    this.#log = log;
  }

  get address(): SplitterAddress | undefined {
    return this.#address;
  }

  start(): void {
    this.#link.add(this);
    this.#upstream.start({
      onFrame: (frame, raw) => this.#down(frame, raw),
      onDrain: () => {
        this.#upstreamFull = false;
        this.#readOn();
      },
      onClose: (reason) => this.#close('replica site', reason),
    });
    this.#downstream.start({
      onFrame: (frame, raw) => this.#up(frame, raw),
      onClose: (reason) => this.#close('splitter', reason),
    });
  }

  onRoom(): void {
    this.#throttled = false;
    this.#readOn();
  }

  onCut(): void {
    this.close();
  }

  /** Bytes of the volume that were relayed and aren't yet confirmed. */
  bytesInFlight(volume: VolumeId): number {
    let bytes = 0;
    for (const handle of this.#handles.values()) if (handle.volume === volume) bytes += handle.inFlight.bytes;
    return bytes;
  }

  /** Bytes of all volumes that were relayed and aren't yet confirmed. */
  get allBytesInFlight(): number {
    let bytes = 0;
    for (const { inFlight } of this.#handles.values()) bytes += inFlight.bytes;
    return bytes;
  }

  /** Tells the splitter to only mark these volumes' writes (pause), or to send again (resume). */
  send(type: 'pause' | 'resume', concerns: (volume: VolumeId) => boolean): void {
    for (const [handle, { volume, attached }] of this.#handles) {
      if (attached && concerns(volume)) this.#downstream.send({ type, handle });
    }
  }

  close(): void {
    this.#upstream.close();
    this.#downstream.close();
  }

  #up(frame: StreamFrame, raw: RawFrame): void {
    switch (frame.type) {
      case 'write':
      case 'zeroes':
      case 'initBegin':
      case 'initEnd':
        this.#handles.get(frame.handle)?.inFlight.sent(frame.n, raw.payload.length);
        break;
      case 'hello':
        this.#address = { splitter: frame.splitter, controlUrl: frame.controlUrl };
        this.#log = this.#log.child({ splitter: frame.splitter });
        this.#log.info('splitter connected');
        break;
      case 'attach':
        this.#release(frame.handle);
        this.#handles.set(frame.handle, {
          volume: frame.volume,
          epoch: frame.epoch,
          attached: false,
          inFlight: new BytesInFlight(),
        });
        break;
      case 'detach':
        this.#release(frame.handle);
        break;
      case 'attached':
      case 'refused':
      case 'receipt':
      case 'credit':
      case 'pause':
      case 'resume':
        throw new MoverError('INVALID_REQUEST', `An appliance accepts no "${frame.type}" frame.`);
    }
    if (!this.#upstream.forward(raw)) this.#upstreamFull = true;
    if (!this.#link.sent(this, raw.header.length + raw.payload.length)) this.#throttled = true;
    if (this.#upstreamFull || this.#throttled) this.#downstream.pause();
  }

  #down(frame: StreamFrame, raw: RawFrame): void {
    switch (frame.type) {
      case 'receipt':
        this.#handles.get(frame.handle)?.inFlight.confirmed(frame.n);
        this.#downstream.forward(raw);
        return;
      case 'attached': {
        this.#downstream.forward(raw);
        const handle = this.#handles.get(frame.handle);
        if (handle === undefined) return;
        handle.attached = true;
        this.#events.onAttached(this, handle);
        return;
      }
      case 'refused':
        this.#release(frame.handle);
        this.#downstream.forward(raw);
        return;
      case 'credit':
      case 'pause':
      case 'resume':
        this.#downstream.forward(raw);
        return;
      case 'hello':
      case 'attach':
      case 'detach':
      case 'write':
      case 'zeroes':
      case 'initBegin':
      case 'initEnd':
        throw new MoverError('INVALID_REQUEST', `A splitter accepts no "${frame.type}" frame.`);
    }
  }

  #readOn(): void {
    if (!this.#upstreamFull && !this.#throttled) this.#downstream.resume();
  }

  #release(handle: number): void {
    const held = this.#handles.get(handle);
    if (held === undefined) return;
    this.#handles.delete(handle);
    if (held.attached) this.#events.onDetached(this, held.volume);
  }

  /** Closes both sides when one is gone; the splitter then connects anew. */
  #close(side: 'splitter' | 'replica site', reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#log.info(
      { side, by: reason.by, err: reason.by === 'fault' ? reason.error : undefined },
      'splitter disconnected',
    );
    this.#link.remove(this);
    for (const handle of this.#handles.keys()) this.#release(handle);
    this.close();
    this.#events.onClosed(this);
  }
}
