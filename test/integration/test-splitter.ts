// A splitter's stream in the hands of a test: every frame is sent when the test says so, and what
// was sent is modelled.
import { connectStream } from '../../simulator/stream/connect.js';
import { costOf, CreditAccount } from '../../simulator/stream/credit.js';
import type { FrameConnection, StreamFrame } from '../../simulator/stream/connection.js';
import type { AttachedFrame, RefusedFrame } from '../../simulator/stream/frame.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Confirmed } from '../../contracts/lineage.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';
import { claimOf } from '../support/identities.js';
import { SIZE_BYTES, until } from './replica-site-fixture.js';

type Record = { readonly offset: number; readonly data: Buffer };

/** What a volume contained after each record of its life. */
export class VolumeModel {
  readonly records: (Record | undefined)[] = [];

  at(position: number): Buffer {
    const content = Buffer.alloc(SIZE_BYTES);
    for (const record of this.records.slice(0, position)) record?.data.copy(content, record.offset);
    return content;
  }
}

export class TestSplitter {
  readonly #connection: FrameConnection;
  readonly #answers = new Map<number, AttachedFrame | RefusedFrame>();
  readonly #receipts = new Map<number, number>();
  readonly #refused = new Map<number, RefusedFrame>();
  readonly #known = new Map<VolumeId, Confirmed>();
  readonly #accounts = new Map<number, CreditAccount>();
  readonly told: StreamFrame[] = [];
  closed = false;

  private constructor(connection: FrameConnection) {
    this.#connection = connection;
    connection.start({
      onFrame: (frame) => this.#received(frame),
      onClose: () => {
        this.closed = true;
      },
    });
  }

  static async connect(url: string, splitter: SplitterId, controlUrl = 'http://127.0.0.1:1'): Promise<TestSplitter> {
    const connection = await connectStream({ url });
    const stream = new TestSplitter(connection);
    connection.send({ type: 'hello', splitter, controlUrl });
    return stream;
  }

  #received(frame: StreamFrame): void {
    if (frame.type === 'receipt') this.#receipts.set(frame.handle, Math.max(frame.n, this.receipt(frame.handle)));
    else if (frame.type === 'credit') this.#accounts.get(frame.handle)?.grant(frame.grantedBytes);
    else if (frame.type === 'attached') {
      this.#answers.set(frame.handle, frame);
      this.#accounts.set(frame.handle, new CreditAccount());
    } else if (frame.type === 'refused') {
      this.#answers.set(frame.handle, frame);
      this.#refused.set(frame.handle, frame);
    } else this.told.push(frame);
  }

  receipt(handle: number): number {
    return this.#receipts.get(handle) ?? 0;
  }

  refusalOf(handle: number): string | undefined {
    return this.#refused.get(handle)?.code;
  }

  async attach(
    handle: number,
    volume: VolumeId,
    options: { session?: number; epoch?: number; sizeBytes?: number } & Partial<Claim> = {},
  ): Promise<AttachedFrame | RefusedFrame> {
    const { session = 1, epoch = 1, sizeBytes = SIZE_BYTES, ...claim } = options;
    this.#answers.delete(handle);
    this.#receipts.delete(handle);
    const confirmed = 'confirmed' in claim ? claim.confirmed : this.#known.get(volume);
    const whole = claimOf({ session, epoch, sizeBytes, ...claim, confirmed }, claim.group);
    this.#connection.send({ type: 'attach', handle, volume, ...whole });
    await until(() => this.#answers.has(handle) || this.closed, `an answer to attach ${handle}`);
    const answer = this.#answers.get(handle);
    if (answer === undefined) throw new Error('the stream was closed');
    // A stream that knows nothing of what others sent takes the history as it is.
    if (answer.type === 'refused' && answer.code === 'LINEAGE_FORKED' && !('confirmed' in claim))
      return this.attach(handle, volume, { ...options, confirmed: answer.advice?.lineage });
    if (answer.type === 'attached') this.#known.set(volume, { lineage: answer.lineage, position: 0 });
    return answer;
  }

  /** Whether a record may be sent under the handle. */
  mayWrite(handle: number): boolean {
    return this.#accounts.get(handle)?.isOpen === true;
  }

  /** Sends it, granted or not. */
  write(
    handle: number,
    n: number,
    offset: number,
    data: Buffer,
    { session = 1, epoch = 1, timeMs = Date.now() } = {},
  ): void {
    const frame = { type: 'write', handle, session, epoch, n, timeMs, offset, data } as const;
    this.#accounts.get(handle)?.spend(costOf(frame));
    this.#connection.send(frame);
  }

  initBegin(handle: number, n: number, { session = 1, epoch = 1, sinceMs = Date.now() } = {}): void {
    this.#connection.send({
      type: 'initBegin',
      handle,
      session,
      epoch,
      n,
      timeMs: Date.now(),
      sinceMs,
      reason: 'test',
    });
  }

  initEnd(handle: number, n: number, { session = 1, epoch = 1 } = {}): void {
    this.#connection.send({ type: 'initEnd', handle, session, epoch, n, timeMs: Date.now() });
  }

  detach(handle: number): void {
    this.#connection.send({ type: 'detach', handle });
  }

  async confirmed(handle: number, n: number): Promise<void> {
    await until(() => this.receipt(handle) >= n, `receipt of write ${n} under handle ${handle}`);
  }

  async refusedWith(handle: number): Promise<string> {
    await until(() => this.#refused.has(handle), `refusal of handle ${handle}`);
    return this.#refused.get(handle)?.code ?? '';
  }
}

export function block(content: number, length = 4096): Buffer {
  return Buffer.alloc(length, content % 256);
}
