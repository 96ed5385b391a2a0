// Reads a zip file in memory. Supports what Go module zips use: stored and deflated entries, no
// encryption, no zip64 (a module zip has at most 500 MB), no links.
import { inflateRawSync } from 'node:zlib';

/** One file of the archive. */
export interface ZipEntry {
  /** Path with `/` between folders, as stored; not checked to be safe to join to a folder. */
  readonly name: string;
  /** Inflates the content. Throws if it isn't what the archive says. */
  readonly read: () => Buffer;
}

// Signatures and field offsets are from PKWARE's APPNOTE.TXT: 4.3.16, 4.3.12 and 4.3.7.
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const END_COMMENT_BYTES_MAX = 65_535;
const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** Stands for a count that only the zip64 extension can hold. */
const ZIP64_COUNT = 0xffff;
const METHOD_STORED = 0;
const METHOD_DEFLATED = 8;

/**
 * The archive's files, in the order of its central directory, without folders.
 *
 * @throws Error when the archive is damaged or uses an unsupported feature
 */
export function readZip(archive: Buffer): readonly ZipEntry[] {
  const end = findEnd(archive);
  const entryCount = archive.readUInt16LE(end + 10);
  if (entryCount === ZIP64_COUNT) throw new Error('Unsupported zip file: zip64.');
  const entries: ZipEntry[] = [];
  let offset = archive.readUInt32LE(end + 16);
  for (let index = 0; index < entryCount; index += 1) {
    if (archive.readUInt32LE(offset) !== CENTRAL_SIGNATURE) throw new Error('Damaged zip file: central directory.');
    const nameBytes = archive.readUInt16LE(offset + 28);
    const name = archive.toString('utf8', offset + CENTRAL_BYTES, offset + CENTRAL_BYTES + nameBytes);
    const content: Content = {
      name,
      method: archive.readUInt16LE(offset + 10),
      packedBytes: archive.readUInt32LE(offset + 20),
      bytes: archive.readUInt32LE(offset + 24),
      localOffset: archive.readUInt32LE(offset + 42),
    };
    if (!name.endsWith('/')) entries.push({ name, read: () => readContent(archive, content) });
    offset += CENTRAL_BYTES + nameBytes + archive.readUInt16LE(offset + 30) + archive.readUInt16LE(offset + 32);
  }
  return entries;
}

interface Content {
  readonly name: string;
  readonly method: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly localOffset: number;
}

/**
 * The offset of the end record. A comment of unknown length may follow it, so it is searched for
 * from the back.
 */
function findEnd(archive: Buffer): number {
  const first = Math.max(0, archive.length - END_BYTES - END_COMMENT_BYTES_MAX);
  for (let offset = archive.length - END_BYTES; offset >= first; offset -= 1) {
    if (archive.readUInt32LE(offset) === END_SIGNATURE) return offset;
  }
  throw new Error('Not a zip file: no end record.');
}

function readContent(archive: Buffer, { name, method, packedBytes, bytes, localOffset }: Content): Buffer {
  if (archive.readUInt32LE(localOffset) !== LOCAL_SIGNATURE) throw new Error(`Damaged zip file: header of ${name}.`);
  const start =
    localOffset + LOCAL_BYTES + archive.readUInt16LE(localOffset + 26) + archive.readUInt16LE(localOffset + 28);
  const packed = archive.subarray(start, start + packedBytes);
  const content = unpack(packed, method, bytes, name);
  if (content.length !== bytes) throw new Error(`Damaged zip file: ${name} has ${content.length} bytes, not ${bytes}.`);
  return content;
}

function unpack(packed: Buffer, method: number, bytes: number, name: string): Buffer {
  switch (method) {
    case METHOD_STORED:
      return packed;
    case METHOD_DEFLATED:
      return inflateRawSync(packed, { maxOutputLength: Math.max(bytes, 1) });
    default:
      throw new Error(`Unsupported zip compression method ${method} of ${name}.`);
  }
}
