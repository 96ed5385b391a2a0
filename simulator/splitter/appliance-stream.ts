// The stream to one appliance: which volumes are attached on it, and whose turn it is to send.
import type { Logger } from 'pino';
import type { SplitterId } from '../../contracts/ids.js';
import type { FrameConnection, StreamFrame } from '../stream/connection.js';
import { Backoff } from './backoff.js';
import { nowMs } from './clock.js';
import type { Copy } from './core/copies.js';
import type { VolumeSplit } from './core/volume-split.js';
import { KeptConnection } from './kept-connection.js';
import type { ProtectedVolume } from './protected-volume.js';

/** What a volume may send in its turn, in bytes: small beside the connection's high-water mark, so that all get turns. */
const TURN_BYTES = 128 * 1024;
/** How long the first frame to send may wait for others, in milliseconds: one system call then carries them all, here and at every hop. */
const GATHER_MS = 1;
/** So many waiting frames leave at once, with whatever this turn of the loop adds. */
const GATHERED_FRAMES_MAX = 16;
/** Cost of a frame beside its data, so that a turn of tiny writes ends too. */
const FRAME_BYTES = 64;

interface Member {
  readonly volume: ProtectedVolume;
  readonly epoch: number;
  readonly backoff: Backoff;
  /** Its name on the present connection; undefined between a refusal, or a break, and the next attach. */
  handle: number | undefined;
  isAttached: boolean;
  retry: NodeJS.Timeout | undefined;
}

export interface ApplianceStreamOptions {
  readonly url: string;
  readonly splitter: SplitterId;
  /** The splitter's own control URL, for the appliance's calls. */
  readonly controlUrl: string;
  readonly token: string | undefined;
  readonly log: Logger;
  /** The volume's situation changed: attached, resumed, or something was confirmed. */
  readonly onProgress: (volume: ProtectedVolume) => void;
  /** What the volume has to send can't be read back: it is to be taken off the stream. */
  readonly onUnsendable: (volume: ProtectedVolume, error: unknown) => void;
}

export class ApplianceStream {
  readonly #options: ApplianceStreamOptions;
  readonly #kept: KeptConnection;
  readonly #members = new Map<ProtectedVolume, Member>();
  readonly #byHandle = new Map<number, Member>();
  /** Members with something to send, whose turn comes in this order. */
  readonly #ready = new Set<Member>();
  #connection: FrameConnection | undefined;
  #lastHandle = 0;
  /** Times that a volume was woken since the last pump. */
  #gathered = 0;
  #gathering: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(options: ApplianceStreamOptions) {
    this.#options = options;
    this.#kept = new KeptConnection({
      url: options.url,
      token: options.token,
      log: options.log,
      onUp: (connection) => this.#up(connection),
      onFrame: (frame) => this.#received(frame),
      onDrain: () => {
        this.#isFull = false;
        this.#pump();
      },
      onDown: () => this.#down(),
    });
  }

  /** The volume's writes go this way from now on, at the epoch it has now. */
  add(volume: ProtectedVolume): void {
    const member: Member = {
      volume,
      epoch: volume.split.row.route.epoch,
      backoff: new Backoff(),
      handle: undefined,
      isAttached: false,
      retry: undefined,
    };
    this.#members.set(volume, member);
    this.#attach(member);
  }

  remove(volume: ProtectedVolume): void {
    const member = this.#members.get(volume);
    if (member === undefined) return;
    this.#members.delete(volume);
    clearTimeout(member.retry);
    if (member.handle !== undefined) this.#connection?.send({ type: 'detach', handle: member.handle });
    this.#unattach(member);
  }

  /** The volume has something to send. */
  wake(volume: ProtectedVolume): void {
    const member = this.#members.get(volume);
    if (member === undefined || !member.isAttached) return;
    this.#ready.add(member);
    this.#schedulePump();
  }

  /** What is wrong, in a sentence; nothing when the stream is up. */
  get note(): string | undefined {
    return this.#connection === undefined
      ? `There is no stream to ${this.#options.url}: writes wait, and then only marks are kept.`
      : undefined;
  }

  close(): void {
    clearTimeout(this.#gathering);
    for (const member of this.#members.values()) clearTimeout(member.retry);
    this.#kept.close();
  }

  #up(connection: FrameConnection): void {
    const { splitter, controlUrl, url, log } = this.#options;
    log.info({ appliance: url, volumes: this.#members.size }, 'stream up');
    this.#connection = connection;
    this.#isFull = false;
    this.#lastHandle = 0;
    connection.send({ type: 'hello', splitter, controlUrl });
    for (const member of this.#members.values()) this.#attach(member);
  }

  #down(): void {
    this.#connection = undefined;
    for (const member of this.#members.values()) {
      clearTimeout(member.retry);
      this.#unattach(member);
    }
  }

  #attach(member: Member): void {
    if (this.#connection === undefined) return;
    const { split } = member.volume;
    this.#lastHandle += 1;
    member.handle = this.#lastHandle;
    this.#byHandle.set(member.handle, member);
    // Whether the group is paused is for the appliance to say again.
    split.resume();
    this.#connection.send({
      type: 'attach',
      handle: member.handle,
      volume: split.volume,
      sizeBytes: split.row.sizeBytes,
      epoch: member.epoch,
      session: split.session,
    });
  }

  #unattach(member: Member): void {
    if (member.handle !== undefined) this.#byHandle.delete(member.handle);
    this.#ready.delete(member);
    member.handle = undefined;
    if (member.isAttached) member.volume.split.detached();
    member.isAttached = false;
  }

  /** What concerns an older attachment is for a handle that is nobody's any more. */
  #received(frame: StreamFrame): void {
    const member = 'handle' in frame ? this.#byHandle.get(frame.handle) : undefined;
    if (member === undefined) return;
    const { volume, epoch } = member;
    const { split } = volume;
    switch (frame.type) {
      case 'attached':
        if (frame.session !== split.session) return;
        member.isAttached = true;
        member.backoff.reset();
        split.attached(frame.n);
        split.note('stream', undefined);
        this.wake(volume);
        break;
      case 'receipt':
        if (frame.session !== split.session || frame.epoch !== epoch) return;
        split.receipt(frame.n);
        break;
      case 'refused':
        this.#refused(member, frame.code, frame.message);
        return;
      case 'pause':
        split.pause(nowMs());
        return;
      case 'resume':
        split.resume();
        this.wake(volume);
        break;
      default:
        return;
    }
    this.#options.onProgress(volume);
  }

  #refused(member: Member, code: string, message: string): void {
    const { log, url } = this.#options;
    log.warn({ volume: member.volume.id, appliance: url, code }, message);
    member.volume.split.note('stream', `${url} refuses volume "${member.volume.id}" (${code}): ${message}`);
    this.#unattach(member);
    member.retry = setTimeout(() => this.#attach(member), member.backoff.next());
  }

  #schedulePump(): void {
    if (this.#isFull) return;
    this.#gathered += 1;
    if (this.#gathered === GATHERED_FRAMES_MAX) setImmediate(() => this.#pump());
    else this.#gathering ??= setTimeout(() => this.#pump(), GATHER_MS);
  }

  #pump(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#gathered = 0;
    if (this.#connection === undefined) return;
    // Who has more to send goes to the end of the set, and so comes again within this loop.
    for (const member of this.#ready) {
      if (this.#isFull) return;
      this.#ready.delete(member);
      if (this.#takeTurn(this.#connection, member)) this.#ready.add(member);
    }
  }

  /** @returns whether there is more to send. */
  #takeTurn(connection: FrameConnection, { volume, handle, epoch }: Member): boolean {
    if (handle === undefined) return false;
    const { split } = volume;
    for (let bytes = 0; bytes < TURN_BYTES && !this.#isFull;) {
      const copy = split.peek();
      if (copy === undefined) return false;
      let frame: StreamFrame;
      try {
        frame = frameOf(split, copy, handle, epoch);
      } catch (error) {
        this.#options.onUnsendable(volume, error);
        return false;
      }
      split.advance();
      this.#isFull = !connection.send(frame);
      bytes += FRAME_BYTES + (copy.kind === 'write' ? copy.length : 0);
    }
    return true;
  }
}

function frameOf(split: VolumeSplit, copy: Copy, handle: number, epoch: number): StreamFrame {
  const { session } = split;
  const { n, timeMs } = copy;
  switch (copy.kind) {
    case 'write':
      return { type: 'write', handle, session, n, epoch, timeMs, offset: copy.offset, data: split.dataOf(copy) };
    case 'zeroes':
      return { type: 'zeroes', handle, session, n, epoch, timeMs, offset: copy.offset, length: copy.length };
    case 'initBegin':
      return { type: 'initBegin', handle, session, n, epoch, timeMs, sinceMs: copy.sinceMs, reason: copy.reason };
    case 'initEnd':
      return { type: 'initEnd', handle, session, n, epoch, timeMs };
  }
}
