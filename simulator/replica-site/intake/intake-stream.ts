// One stream of a splitter, relayed by an appliance: its handles, the records under each, and the
// receipts that go back.
import type { Logger } from 'pino';
import { MoverError, type ErrorCode } from '../../../contracts/errors.js';
import type { Advice } from '../../../contracts/lineage.js';
import type { CloseReason, FrameConnection, StreamFrame } from '../../stream/connection.js';
import type { AttachFrame, RefusedFrame } from '../../stream/frame.js';
import { payloadCrcOf } from '../../stream/header.js';
import { failureOfJournal } from '../journal-failure.js';
import type { Intakes } from './intakes.js';
import type { Attached, Claimed, VolumeIntake } from './volume-intake.js';

export interface IntakeStreamOptions {
  readonly connection: FrameConnection;
  readonly intakes: Intakes;
  readonly log: Logger;
}

type Handle =
  | { readonly kind: 'attaching' }
  | { readonly kind: 'attached'; readonly attachment: Attachment; readonly intake: VolumeIntake };

interface Attachment extends Attached {
  readonly handle: number;
}

const ATTACHING = 'attaching';

export class IntakeStream {
  readonly #connection: FrameConnection;
  readonly #intakes: Intakes;
  #log: Logger;
  /**
   * Handles in use. Frames under other handles are dropped: after a refusal, frames already on the
   * way still arrive.
   */
  readonly #handles = new Map<number, Handle>();
  /**
   * Attachments whose receipt is due: one is sent for each in the next turn of the event loop,
   * however many records it is for.
   */
  readonly #receiptsDue = new Map<Attachment, VolumeIntake>();
  #open = true;

  constructor({ connection, intakes, log }: IntakeStreamOptions) {
    this.#connection = connection;
    this.#intakes = intakes;
    this.#log = log;
  }

  start(): void {
    this.#connection.start({
      onFrame: (frame, { header }) => this.#take(frame, header),
      onClose: (reason) => this.#closed(reason),
    });
  }

  #take(frame: StreamFrame, header: Buffer): void {
    switch (frame.type) {
      case 'write':
      case 'zeroes':
      case 'initBegin':
      case 'initEnd': {
        const handle = this.#handles.get(frame.handle);
        if (handle?.kind === 'attached') handle.intake.take(handle.attachment, frame, payloadCrcOf(header));
        return;
      }
      case 'attach':
        void this.#attach(frame);
        return;
      case 'detach':
        this.#release(frame.handle);
        return;
      case 'hello':
        this.#log = this.#log.child({ splitter: frame.splitter });
        this.#log.info('stream opened');
        return;
      case 'attached':
      case 'refused':
      case 'receipt':
      case 'credit':
      case 'pause':
      case 'resume':
        throw new MoverError('INVALID_REQUEST', `A frame "${frame.type}" is not for the replica site.`);
    }
  }

  /** Never rejects. */
  async #attach(frame: AttachFrame): Promise<void> {
    this.#release(frame.handle);
    const attaching: Handle = { kind: ATTACHING };
    this.#handles.set(frame.handle, attaching);
    const answer = await this.#claim(frame);
    if (!this.#open || this.#handles.get(frame.handle) !== attaching) return;
    this.#handles.delete(frame.handle);
    if ('refused' in answer) {
      this.#connection.send(answer.refused);
      return;
    }
    const { intake, claimed } = answer;
    const attachment = this.#attachmentOf(frame, intake);
    this.#handles.set(frame.handle, { kind: 'attached', attachment, intake });
    const { kind: type, ...accepted } = claimed;
    this.#connection.send({ type, handle: frame.handle, ...accepted });
    intake.add(attachment);
  }

  async #claim(
    frame: AttachFrame,
  ): Promise<{ readonly intake: VolumeIntake; readonly claimed: Claimed } | { readonly refused: RefusedFrame }> {
    const refused = (code: ErrorCode, message: string, advice?: Advice) => ({
      refused: { type: 'refused', handle: frame.handle, code, message, advice } as const,
    });
    try {
      const intake = await this.#intakes.intake(frame.volume);
      const claimed = await intake.claim(frame);
      return claimed.kind === 'attached' ? { intake, claimed } : refused(claimed.code, claimed.message, claimed.advice);
    } catch (cause) {
      const error = failureOfJournal(frame.volume, cause);
      if (error instanceof MoverError) return refused(error.code, error.message);
      this.#log.error({ err: error, volume: frame.volume }, 'attach failed');
      return refused('INTERNAL', `Volume "${frame.volume}" could not be attached.`);
    }
  }

  #attachmentOf({ handle, volume, session, epoch }: AttachFrame, intake: VolumeIntake): Attachment {
    const attachment: Attachment = {
      handle,
      session,
      epoch,
      onDurable: () => this.#scheduleReceipt(attachment, intake),
      onRefused: (code, message) => {
        this.#handles.delete(handle);
        this.#receiptsDue.delete(attachment);
        this.#log.info({ volume, code }, 'refused');
        this.#connection.send({ type: 'refused', handle, code, message });
      },
      onCredit: (grantedBytes, unappliedBytes) => {
        this.#connection.send({ type: 'credit', handle, grantedBytes, unappliedBytes });
      },
    };
    return attachment;
  }

  #scheduleReceipt(attachment: Attachment, intake: VolumeIntake): void {
    if (this.#receiptsDue.size === 0) setImmediate(() => this.#sendReceipts());
    this.#receiptsDue.set(attachment, intake);
  }

  #sendReceipts(): void {
    for (const [{ handle, session, epoch }, intake] of this.#receiptsDue) {
      const n = intake.durableOf(session);
      if (n > 0) this.#connection.send({ type: 'receipt', handle, session, n, epoch });
    }
    this.#receiptsDue.clear();
  }

  #release(handle: number): void {
    const held = this.#handles.get(handle);
    this.#handles.delete(handle);
    if (held?.kind !== 'attached') return;
    this.#receiptsDue.delete(held.attachment);
    held.intake.remove(held.attachment);
  }

  #closed(reason: CloseReason): void {
    this.#open = false;
    for (const handle of this.#handles.keys()) this.#release(handle);
    this.#log.info({ reason: reason.by, err: reason.by === 'fault' ? reason.error : undefined }, 'stream closed');
  }
}
