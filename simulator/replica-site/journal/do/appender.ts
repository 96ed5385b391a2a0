// Takes new records: gives each its position, writes those of one turn together, and tells when
// they are durable.
import { crc32 } from 'node:zlib';
import { JournalError } from '../terms/errors.js';
import type { Manifest } from '../manifest/manifest.js';
import { assertRecord } from './record-check.js';
import { RECORD_HEADER_BYTES, encodeRecordHeader } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import type { SegmentLog } from '../segments/segment-log.js';
import type { Applied, Durable, NewRecord } from '../terms/types.js';

export interface AppenderEvents {
  /** Called with the bytes of DO of the group. */
  onDurable(durable: Durable, doBytes: number): void;
  onFailed(error: unknown): void;
}

interface Pending {
  readonly record: NewRecord;
  readonly position: number;
  readonly payload: Uint8Array | undefined;
  /** The manifest tells of it: it is stored first. */
  readonly isInManifest: boolean;
}

export class Appender {
  readonly #manifest: Manifest;
  readonly #log: SegmentLog;
  readonly #events: AppenderEvents;
  #durable: Durable;
  #appended: Applied;
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #count = 0;
  #unwrittenBytes = 0;

  constructor(manifest: Manifest, log: SegmentLog, durable: Durable, events: AppenderEvents) {
    this.#manifest = manifest;
    this.#log = log;
    this.#durable = durable;
    this.#appended = durable;
    this.#events = events;
  }

  get durable(): Durable {
    return this.#durable;
  }

  /** Last record taken, durable or not. */
  get appended(): Applied {
    return this.#appended;
  }

  /** Bytes of DO of the records that were taken and are not durable yet: so much is in memory. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes;
  }

  /** Records durable since opening. */
  get count(): number {
    return this.#count;
  }

  /** @throws JournalError OUT_OF_ORDER, OUT_OF_RANGE; then none is taken */
  append(records: readonly NewRecord[]): number {
    this.#assertOrder(records);
    for (const record of records) {
      const before = this.#appended;
      const position = before.position + 1;
      const beginsSession = record.n === 1;
      if (beginsSession) this.#manifest.sessions.begin(record.session, before.position);
      // An older session goes on: one that began meanwhile and has no record never was.
      else if (this.#manifest.sessions.forgetEmpty(before.position)) this.#manifest.isBehind = true;
      const makesWhole = record.kind === 'initEnd' && this.#manifest.makeWhole(position);
      const isInManifest = beginsSession || makesWhole;
      const pending = { record, position, payload: payloadOf(record), isInManifest };
      this.#pending.push(pending);
      this.#unwrittenBytes += recordBytes(pending);
      this.#appended = { position, session: record.session, n: record.n };
    }
    // A microtask ends the turn of whoever appends: all that one read of a socket brought becomes
    // one group.
    if (this.#pending.length > 0) this.#flushing ??= Promise.resolve().then(() => this.#flush());
    return this.#appended.position;
  }

  /** Goes on from another position; nothing may be on its way. */
  continueFrom(durable: Durable): void {
    this.#durable = durable;
    this.#appended = durable;
  }

  /** Resolves once nothing is being written; never rejects. */
  async idle(): Promise<void> {
    await this.#flushing;
  }

  #assertOrder(records: readonly NewRecord[]): void {
    let { session, n, position } = this.#appended;
    const begun = new Set<number>();
    for (const record of records) {
      assertRecord(record, this.#manifest.sizeBytes);
      const goesOn = position > 0 && record.session === session && record.n === n + 1;
      const base = this.#manifest.sessions.base(record.session);
      const known = begun.has(record.session) || (base !== undefined && base !== position);
      if (!goesOn && (record.n !== 1 || known)) {
        throw new JournalError(
          'OUT_OF_ORDER',
          `record ${record.n} of session ${record.session} cannot follow record ${n} of session ${session}`,
        );
      }
      if (!goesOn) begun.add(record.session);
      ({ session, n } = record);
      position += 1;
    }
  }

  async #flush(): Promise<void> {
    try {
      while (this.#pending.length > 0) await this.#writeGroup();
    } catch (error) {
      this.#forgetPending();
      this.#events.onFailed(error);
    }
    this.#flushing = undefined;
  }

  /**
   * What was taken and isn't durable never was: the next record follows the last durable one. With
   * sync a session that it began stays noted: after a power cut the disk may hold records of it all
   * the same, which must not be of a session that nobody knows.
   */
  #forgetPending(): void {
    this.#pending = [];
    this.#unwrittenBytes = 0;
    this.#appended = this.#durable;
    const { sessions, sync } = this.#manifest;
    const { position } = this.#durable;
    if (sync ? sessions.forgetBeyond(position) : sessions.forgetEmpty(position)) this.#manifest.isBehind = true;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    const [first] = group;
    const last = group.at(-1);
    if (first === undefined || last === undefined) return;
    if (first.isInManifest || this.#manifest.isBehind) await this.#manifest.save();
    const { parts, bytes } = encode(group);
    const positions = { firstPosition: first.position, lastPosition: last.position };
    this.#log.append({ ...positions, continued: false, parts, bytes });
    await this.#log.commit();
    const { session, n, timeMs } = last.record;
    this.#durable = { position: last.position, session, n, timeMs };
    this.#count += group.length;
    this.#unwrittenBytes -= bytes;
    this.#events.onDurable(this.#durable, bytes);
  }

  /**
   * As many as fit a segment; one that the manifest tells of begins a group, because that is saved
   * before it.
   */
  #takeGroup(): readonly Pending[] {
    const room = this.#log.room(recordBytes(this.#pending[0]));
    let bytes = 0;
    let count = 0;
    for (const pending of this.#pending) {
      bytes += recordBytes(pending);
      if (count > 0 && (bytes > room || pending.isInManifest)) break;
      count += 1;
    }
    return this.#pending.splice(0, count);
  }
}

function recordBytes(pending: Pending | undefined): number {
  return RECORD_HEADER_BYTES + (pending?.payload?.length ?? 0);
}

function payloadOf(record: NewRecord): Uint8Array | undefined {
  switch (record.kind) {
    case 'write':
      return record.data;
    case 'initBegin':
      return Buffer.from(record.reason);
    case 'zeroes':
    case 'initEnd':
      return undefined;
  }
}

function encode(group: readonly Pending[]): { readonly parts: Uint8Array[]; readonly bytes: number } {
  const headers = Buffer.allocUnsafe(group.length * RECORD_HEADER_BYTES);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  group.forEach((pending, index) => {
    const start = index * RECORD_HEADER_BYTES;
    encodeRecordHeader(headerOf(pending, bytes), headers, start);
    parts.push(headers.subarray(start, start + RECORD_HEADER_BYTES));
    if (pending.payload !== undefined) parts.push(pending.payload);
    bytes += recordBytes(pending);
  });
  return { parts, bytes };
}

function headerOf({ record, position, payload }: Pending, groupDistance: number): RecordHeader {
  const { kind, session, n, epoch, timeMs } = record;
  const payloadCrc = payload === undefined ? 0 : crc32(payload);
  const range = {
    offset: kind === 'write' || kind === 'zeroes' ? record.offset : kind === 'initBegin' ? record.sinceMs : 0,
    length: kind === 'zeroes' ? record.length : (payload?.length ?? 0),
  };
  return { kind, last: true, groupDistance, position, session, n, epoch, timeMs, ...range, payloadCrc };
}
