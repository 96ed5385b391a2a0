// The stream to one appliance: attaches volumes on it, and lets them send by turns.
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import type { SplitterId } from '../../../contracts/ids.js';
import type { LifeId } from '../../../contracts/lineage.js';
import type { FrameConnection, StreamFrame } from '../../stream/connection.js';
import { costOf, CreditAccount } from '../../stream/credit.js';
import type { AttachedFrame, CreditFrame, RecordFrame, RefusedFrame } from '../../stream/frame.js';
import { STALL_SHOWN_AFTER_MS } from '../../stream/limits.js';
import { Backoff } from '../shared/backoff.js';
import { nowMs } from '../shared/clock.js';
import type { Copy } from '../core/copies.js';
import type { VolumeSplit } from '../core/volume-split.js';
import { KeptConnection } from './kept-connection.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import type { Reunion } from './reunion.js';

/**
 * Bytes of a volume's turn: small beside the connection's high-water mark, so that every volume
 * gets turns.
 */
const TURN_BYTES = 128 * 1024;
/**
 * How long the first frame waits for others, in milliseconds: one system call then carries them
 * all, here and at every hop.
 */
const GATHER_MS = 1;
/** Waiting frames that are sent without further delay, with whatever this turn of the loop adds. */
const GATHERED_FRAMES_MAX = 16;
const MIB = 1024 * 1024;

interface Member {
  readonly volume: ProtectedVolume;
  readonly epoch: number;
  readonly backoff: Backoff;
  /**
   * The volume's handle on the current connection; undefined between a refusal or break and the
   * next attach.
   */
  handle: number | undefined;
  isAttached: boolean;
  retry: NodeJS.Timeout | undefined;
  /** What the replica site grants the current attachment. */
  credit: CreditAccount;
  /**
   * What waited there to be applied when it last refused more credit; undefined if it did not say.
   */
  unappliedBytes: number | undefined;
  /** Set while the volume has something to send and no credit. */
  stall: Stall | undefined;
  /**
   * What is left of the volume's turn, in bytes. A larger frame makes it negative, and the next
   * turns pay for it.
   */
  turnBytes: number;
}

interface Stall {
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
  isTold: boolean;
}

export interface ApplianceStreamOptions {
  readonly url: string;
  readonly splitter: SplitterId;
  readonly life: LifeId;
  readonly reunion: Reunion;
  /** The splitter's control URL, for the appliance's calls. */
  readonly controlUrl: string;
  readonly credentials: Credentials | undefined;
  readonly log: Logger;
  /** The volume was attached or resumed, or something was confirmed. */
  readonly onProgress: (volume: ProtectedVolume) => void;
  /** The volume's queue can't be read back: take the volume off the stream. */
  readonly onUnsendable: (volume: ProtectedVolume, error: unknown) => void;
}

export class ApplianceStream {
  readonly #options: ApplianceStreamOptions;
  readonly #kept: KeptConnection;
  readonly #members = new Map<ProtectedVolume, Member>();
  readonly #byHandle = new Map<number, Member>();
  /** Members with something to send, in the order of their turns. */
  readonly #ready = new Set<Member>();
  #connection: FrameConnection | undefined;
  #lastHandle = 0;
  /** Wake-ups since the last pump. */
  #gathered = 0;
  #gathering: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(options: ApplianceStreamOptions) {
    this.#options = options;
    this.#kept = new KeptConnection({
      url: options.url,
      credentials: options.credentials,
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

  /** Sends the volume's writes on this stream, at the epoch of its row. */
  add(volume: ProtectedVolume): void {
    const member: Member = {
      volume,
      epoch: volume.split.row.route.epoch,
      backoff: new Backoff(),
      handle: undefined,
      isAttached: false,
      retry: undefined,
      credit: new CreditAccount(),
      unappliedBytes: undefined,
      stall: undefined,
      turnBytes: 0,
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

  /** What is wrong, in a sentence; undefined while the stream is up. */
  get note(): string | undefined {
    if (this.#connection !== undefined) return undefined;
    const { refusal } = this.#kept;
    const why = refusal === undefined ? '' : ` ${refusal}`;
    return `No stream to appliance ${this.#options.url}.${why} Guests go on; their writes wait here, then only marks are kept, and all is sent when the stream is back. Check that appliance and the network.`;
  }

  close(): void {
    clearTimeout(this.#gathering);
    for (const member of this.#members.values()) {
      clearTimeout(member.retry);
      endStall(member);
    }
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
    // The appliance says again if the group is paused.
    split.resume();
    this.#connection.send({
      type: 'attach',
      handle: member.handle,
      volume: split.volume,
      sizeBytes: split.row.sizeBytes,
      life: this.#options.life,
      ...split.claim(),
      epoch: member.epoch,
    });
  }

  #unattach(member: Member): void {
    if (member.handle !== undefined) this.#byHandle.delete(member.handle);
    this.#ready.delete(member);
    endStall(member);
    member.handle = undefined;
    if (member.isAttached) member.volume.split.detached();
    member.isAttached = false;
  }

  /**
   * Handles a frame. One for an older attachment has a handle that no member has, and is dropped.
   */
  #received(frame: StreamFrame): void {
    const member = 'handle' in frame ? this.#byHandle.get(frame.handle) : undefined;
    if (member === undefined) return;
    const { volume, epoch } = member;
    const { split } = volume;
    switch (frame.type) {
      case 'attached':
        if (frame.session !== split.session) return;
        this.#attached(member, frame);
        break;
      case 'receipt':
        if (frame.session !== split.session || frame.epoch !== epoch) return;
        split.receipt(frame.n);
        break;
      case 'credit':
        // Credit before `attached` was for the handle's earlier attachment.
        if (member.isAttached) this.#credited(member, frame);
        return;
      case 'refused':
        this.#refused(member, frame);
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

  #attached(member: Member, frame: AttachedFrame): void {
    const { volume } = member;
    try {
      this.#options.reunion.attached(volume, frame);
    } catch (error) {
      this.#attachLater(member, `the answer for volume "${volume.id}" could not be stored: ${messageOf(error)}`);
      return;
    }
    member.isAttached = true;
    member.credit = new CreditAccount();
    member.unappliedBytes = undefined;
    member.backoff.reset();
    volume.split.note('stream', undefined);
    this.wake(volume);
  }

  #credited(member: Member, { grantedBytes, unappliedBytes }: CreditFrame): void {
    const { credit, volume } = member;
    credit.grant(grantedBytes);
    member.unappliedBytes = credit.isOpen ? undefined : unappliedBytes;
    if (credit.isOpen) {
      endStall(member);
      this.wake(volume);
    } else if (member.stall?.isTold === true) noteStall(member, member.stall);
  }

  /**
   * Notes that the volume has no credit, and shows it after STALL_SHOWN_AFTER_MS, whatever the
   * reason.
   */
  #beginStall(member: Member): void {
    if (member.stall !== undefined) return;
    const stall: Stall = {
      sinceMs: nowMs(),
      timer: setTimeout(() => {
        stall.isTold = true;
        this.#options.log.warn({ volume: member.volume.id, unappliedBytes: member.unappliedBytes }, 'volume stalled');
        noteStall(member, stall);
      }, STALL_SHOWN_AFTER_MS),
      isTold: false,
    };
    member.stall = stall;
  }

  #refused(member: Member, frame: RefusedFrame): void {
    const { log, url, reunion } = this.#options;
    const { volume } = member;
    const { code, message } = frame;
    log.warn({ volume: volume.id, appliance: url, code }, message);
    this.#unattach(member);
    let attachAtOnce = false;
    try {
      attachAtOnce = reunion.refused(volume, frame);
    } catch (error) {
      log.warn({ err: error, volume: volume.id }, 'the advice could not be followed');
    }
    // A volume that another appliance owns has left this stream.
    if (this.#members.get(volume) !== member) return;
    if (attachAtOnce) this.#attach(member);
    else this.#attachLater(member, `${url} refuses volume "${volume.id}" (${code}): ${message}`);
  }

  /** Attaches again after a pause, and says why meanwhile. */
  #attachLater(member: Member, why: string): void {
    this.#unattach(member);
    member.volume.split.note('stream', why);
    clearTimeout(member.retry);
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
    // A member with more to send goes to the end of the set, and gets another turn in this loop.
    for (const member of this.#ready) {
      if (this.#isFull) return;
      this.#ready.delete(member);
      if (this.#takeTurn(this.#connection, member)) this.#ready.add(member);
    }
  }

  /**
   * Sends the member's copies for one turn.
   * @returns whether it has more to send now.
   */
  #takeTurn(connection: FrameConnection, member: Member): boolean {
    const { handle, epoch, credit } = member;
    const { split } = member.volume;
    if (handle === undefined) return false;
    member.turnBytes = Math.min(TURN_BYTES, member.turnBytes + TURN_BYTES);
    while (member.turnBytes > 0 && !this.#isFull) {
      const copy = split.peek();
      if (copy === undefined) return false;
      if (!credit.isOpen) {
        this.#beginStall(member);
        return false;
      }
      let frame: RecordFrame;
      try {
        frame = frameOf(split, copy, handle, epoch);
      } catch (error) {
        this.#options.onUnsendable(member.volume, error);
        return false;
      }
      split.advance();
      const cost = costOf(frame);
      credit.spend(cost);
      member.turnBytes -= cost;
      this.#isFull = !connection.send(frame);
    }
    return true;
  }
}

function noteStall({ volume: { id, split }, unappliedBytes }: Member, { sinceMs }: Stall): void {
  split.stalled({ sinceMs, ...(unappliedBytes === undefined ? {} : { unappliedBytes }) });
  const why =
    unappliedBytes === undefined
      ? 'it gave no reason'
      : `${Math.ceil(unappliedBytes / MIB)} MiB waited there to be applied at its last report`;
  split.note(
    'credit',
    `The replica site has accepted no write of volume "${id}" since ${new Date(sinceMs).toISOString()}: ${why}. Newer writes ` +
      'wait here, then only marks are kept; other volumes are not affected. It goes on by itself when enough is applied; ' +
      'if it does not, check the health of the replica site (/healthz).',
  );
}

function endStall(member: Member): void {
  if (member.stall === undefined) return;
  clearTimeout(member.stall.timer);
  member.stall = undefined;
  member.volume.split.stalled(undefined);
  member.volume.split.note('credit', undefined);
}

function frameOf(split: VolumeSplit, copy: Copy, handle: number, epoch: number): RecordFrame {
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
