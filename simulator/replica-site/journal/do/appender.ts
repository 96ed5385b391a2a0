// Takes new records: gives each its position, writes the records of one turn of the event loop
// together, and reports when they are durable.
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
  /** Whether the manifest mentions it, and so must be saved before it is written. */
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

  /** The last appended record, durable or not. */
  get appended(): Applied {
    return this.#appended;
  }

  /** Bytes of DO of the records that are appended but not durable yet: they are in memory. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes;
  }

  /** Records durable since opening. */
  get count(): number {
    return this.#count;
  }

  /**
   * Gives each record the next position, and returns the last one.
   * @throws JournalError OUT_OF_ORDER, OUT_OF_RANGE; then no record is taken
   */
  append(records: readonly NewRecord[]): number {
    this.#assertOrder(records);
    for (const record of records) {
      const before = this.#appended;
      const position = before.position + 1;
      const beginsSession = record.n === 1;
      if (beginsSession) this.#manifest.sessions.begin(record.session, before.position);
      // An older session continues, so a session that began after it and has no record is
      // forgotten.
      else if (this.#manifest.sessions.forgetEmpty(before.position)) this.#manifest.isBehind = true;
      const makesWhole = record.kind === 'initEnd' && this.#manifest.makeWhole(position);
      const isInManifest = beginsSession || makesWhole;
      const pending = { record, position, payload: payloadOf(record), isInManifest };
      this.#pending.push(pending);
      this.#unwrittenBytes += recordBytes(pending);
      this.#appended = { position, session: record.session, n: record.n };
    }
    // A microtask runs at the end of the caller's turn: all records of one socket read become one
    // group.
    if (this.#pending.length > 0) this.#flushing ??= Promise.resolve().then(() => this.#flush());
    return this.#appended.position;
  }

  /** Continues after another position. No record may be waiting to be written. */
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
      const continues = position > 0 && record.session === session && record.n === n + 1;
      const base = this.#manifest.sessions.base(record.session);
      const known = begun.has(record.session) || (base !== undefined && base !== position);
      if (!continues && (record.n !== 1 || known)) {
        throw new JournalError(
          'OUT_OF_ORDER',
          `record ${record.n} of session ${record.session} cannot follow record ${n} of session ${session}`,
        );
      }
      if (!continues) begun.add(record.session);
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
   * Forgets records that are not durable: the next record follows the last durable one. With sync
   * it keeps a session that they began: after a power cut the disk may hold records of it, and
   * recovery must know their session.
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
   * Takes as many records as fit a segment. A record that the manifest mentions begins a group,
   * because the manifest is saved before the group.
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
  const payloadCrc = (kind === 'write' ? record.dataCrc : undefined) ?? (payload === undefined ? 0 : crc32(payload));
  const range = {
    offset: kind === 'write' || kind === 'zeroes' ? record.offset : kind === 'initBegin' ? record.sinceMs : 0,
    length: kind === 'zeroes' ? record.length : (payload?.length ?? 0),
  };
  return { kind, last: true, groupDistance, position, session, n, epoch, timeMs, ...range, payloadCrc };
}
