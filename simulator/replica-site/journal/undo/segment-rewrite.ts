// Writes one UNDO segment in place of several, with only what their plans keep.
//
// Why no crash loses old data: the new file is whole (with sync: on the disk) before it gets its
// name, and has its name (with sync: durably) before any file that it replaces is removed. Its
// header says which sequence numbers it replaces, and its name has a later generation than theirs.
// Recovery takes the latest generation, and removes the files that it replaces and files that never
// got their name. Everything in it is applied and at or before the manifest's floor, which was
// saved before, so recovery needs no UNDO from there to redo DO.
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { corrupt } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import {
  RECORD_HEADER_BYTES,
  decodeRecordHeader,
  encodeRecordHeader,
  payloadBytes,
} from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { SEGMENT_HEADER_BYTES, encodeSegmentHeader, segmentName, unfinishedName } from '../segments/segment-format.js';
import type { Signature } from '../terms/retained-positions.js';
import { sequenceAfter } from '../segments/segment-log.js';
import type { Segment } from '../segments/segment-log.js';
import type { KeptPart, SegmentPlan } from './segment-plan.js';
import { unlessGivenUpLater } from '../files/unreadable.js';

/**
 * Bytes copied at once: read off the main thread, written on the main thread in less than a
 * millisecond.
 */
const COPY_BYTES = 512 * 1024;

export interface RewriteOptions {
  readonly files: Files;
  readonly sync: boolean;
}

/**
 * Writes the new file. The files of the plans stay.
 * @throws JournalError CORRUPT
 */
export async function rewriteSegments(
  { files, sync }: RewriteOptions,
  plans: readonly [SegmentPlan, ...SegmentPlan[]],
  signature: Signature,
): Promise<Segment> {
  const { segment: first } = plans[0];
  const last = plans.at(-1)?.segment ?? first;
  const planned = plans.reduce((sum, plan) => sum + plan.keptBytes, SEGMENT_HEADER_BYTES);
  const headerOf = (bytes: number) => ({
    kind: first.kind,
    synced: sync,
    continued: first.continued,
    sequence: first.sequence,
    firstPosition: first.firstPosition,
    consolidated: {
      spans: sequenceAfter(last) - first.sequence,
      lastPosition: last.lastPosition,
      bytes,
      signature,
    },
  });
  const directory = dirname(first.path);
  const generation = Math.max(...plans.map((plan) => plan.segment.generation)) + 1;
  const path = join(directory, segmentName(first.kind, first.sequence, generation));
  const unfinished = unfinishedName(path);
  if (files.size(unfinished) !== undefined) files.remove(unfinished);
  let bytes = planned;
  let header = headerOf(planned);
  try {
    const writer = new PartWriter(files, unfinished, encodeSegmentHeader(headerOf(planned)));
    for (const { segment, parts } of plans) for (const part of parts) await writer.copy(segment, part);
    writer.flush();
    // Damaged data was left out, so the file is shorter than planned: the header must say its
    // length.
    bytes = writer.written;
    header = headerOf(bytes);
    if (bytes !== planned) files.write(unfinished, [encodeSegmentHeader(header)], 0);
    if (sync) await files.datasync(unfinished);
    files.rename(unfinished, path);
  } catch (error) {
    removeUnfinished(files, unfinished);
    throw error;
  }
  if (sync) await files.syncDirectory(directory);
  return { ...header, path, generation, bytes, lastPosition: last.lastPosition };
}

/**
 * Removes the unfinished file, which takes room of a full disk. If that fails, the next try removes
 * it.
 */
function removeUnfinished(files: Files, unfinished: string): void {
  try {
    files.remove(unfinished);
  } catch {
    // The failure that led here is the one to report.
  }
}

class PartWriter {
  readonly #files: Files;
  readonly #path: string;
  #written = 0;
  #parts: Buffer[];
  #bytes: number;

  constructor(files: Files, path: string, header: Buffer) {
    this.#files = files;
    this.#path = path;
    this.#parts = [header];
    this.#bytes = header.length;
  }

  get written(): number {
    return this.#written;
  }

  async copy(segment: Segment, part: KeptPart): Promise<void> {
    if (part.kind === 'record') {
      this.#add(...(await recordParts(this.#files, segment, part)));
      return;
    }
    for (let from = part.from; from < part.to; from += COPY_BYTES) {
      const bytes = Buffer.allocUnsafe(Math.min(COPY_BYTES, part.to - from));
      await readWhole(this.#files, segment, bytes, from);
      this.#add(bytes);
    }
  }

  flush(): void {
    if (this.#bytes === 0) return;
    this.#files.write(this.#path, this.#parts, this.#written);
    this.#written += this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
  }

  #add(...parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.#parts.push(part);
      this.#bytes += part.length;
    }
    if (this.#bytes >= COPY_BYTES) this.flush();
  }
}

/**
 * One record for each range of a record. Its data is checked: damaged data becomes `oldDamaged` and
 * never gets a good checksum.
 */
async function recordParts(
  files: Files,
  segment: Segment,
  { fileOffset, ranges }: Extract<KeptPart, { kind: 'record' }>,
): Promise<readonly Buffer[]> {
  const encoded = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  await readWhole(files, segment, encoded, fileOffset);
  const header = decodeRecordHeader(encoded, 0);
  if (header === undefined) throw damaged(segment, fileOffset, segment.firstPosition);
  let payload = Buffer.allocUnsafe(payloadBytes(header));
  let { kind } = header;
  if (payload.length > 0) {
    await readWhole(files, segment, payload, fileOffset + RECORD_HEADER_BYTES);
    if (crc32(payload) !== header.payloadCrc) {
      kind = 'oldDamaged';
      payload = Buffer.alloc(0);
    }
  }
  return ranges.flatMap(({ offset, length }) => {
    const data = payload.subarray(offset - header.offset, offset - header.offset + length);
    const part: RecordHeader = { ...header, kind, offset, length, payloadCrc: data.length === 0 ? 0 : crc32(data) };
    const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
    encodeRecordHeader(part, bytes, 0);
    return data.length === 0 ? [bytes] : [bytes, data];
  });
}

async function readWhole(files: Files, segment: Segment, into: Buffer, at: number): Promise<void> {
  const count = (await unlessGivenUpLater(files.readLater(segment.path, into, at))) ?? 0;
  if (count < into.length) throw damaged(segment, at + count, segment.firstPosition);
}

function damaged(segment: Segment, offset: number, position: number): Error {
  return corrupt('damaged UNDO record', { file: segment.path, offset, position });
}
