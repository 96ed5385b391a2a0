// Brings a folder back to a working state after any end of the process: what is durable, what is applied, what is left.
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { giveBackBatchBuffers, takeBatchBuffers } from './batch-buffers.js';
import { cursorAtStart, readBatch } from './batch.js';
import type { BatchSource, Cursor, Piece } from './batch.js';
import { corrupt } from './errors.js';
import type { Files } from './files.js';
import { LoggedSums } from './logged-sums.js';
import { MANIFEST_FORMAT, MANIFEST_NAME, Manifest, SUMS_FORMAT } from './manifest.js';
import { RECORD_HEADER_BYTES, coveredBytes, payloadBytes } from './record-format.js';
import type { RecordHeader } from './record-format.js';
import { recoverDo, recoverUndo } from './recovered-segments.js';
import type { RecoveryFolder } from './recovered-segments.js';
import { Replica } from './replica.js';
import { parseSegmentName } from './segment-format.js';
import { SegmentLog } from './segment-log.js';
import type { Segment } from './segment-log.js';
import type { Durable, JournalLog } from './types.js';

export interface RecoveryOptions {
  readonly files: Files;
  readonly directory: string;
  readonly sizeBytes: number;
  readonly segmentBytes: number;
  readonly sync: boolean;
  readonly log: JournalLog | undefined;
}

export interface Recovered {
  readonly manifest: Manifest;
  readonly replica: Replica;
  readonly doLog: SegmentLog;
  readonly undoLog: SegmentLog;
  readonly durable: Durable;
  readonly applied: Durable;
  /** Where distribution goes on. */
  readonly cursor: Cursor;
  readonly backlogBytes: number;
}

/** @throws JournalError CORRUPT, SIZE_MISMATCH */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { files, directory, sizeBytes, sync, log } = options;
  const names = files.list(directory) ?? [];
  const stored = names.length === 0 ? undefined : Manifest.load(files, directory, sizeBytes, sync);
  const orphan = names.find((name) => parseSegmentName(name) !== undefined);
  if (stored === undefined && orphan !== undefined) {
    throw corrupt('missing manifest', { file: join(directory, MANIFEST_NAME), offset: 0, position: 0 });
  }
  const manifest = stored ?? new Manifest(files, directory, sizeBytes, sync);
  const recovery = new Recovery(options, manifest, { files, directory, names, log });
  return recovery.run();
}

/** How far UNDO reaches: all of `position`, or its first `done` bytes only. */
interface UndoReach {
  readonly position: number;
  readonly done: number | undefined;
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #manifest: Manifest;
  readonly #folder: RecoveryFolder;
  readonly #replica: Replica;
  readonly #loggedSums: LoggedSums;
  /** The last whole position that UNDO or DO tells the time of. */
  #appliedTimeMs: number;
  #lastUndo: RecordHeader | undefined;
  #firstDo: number | undefined;
  #lastDo: RecordHeader | undefined;
  /** The record that UNDO reaches into. */
  #reached: RecordHeader | undefined;

  constructor(options: RecoveryOptions, manifest: Manifest, folder: RecoveryFolder) {
    this.#options = options;
    this.#manifest = manifest;
    this.#folder = folder;
    this.#replica = new Replica(options.files, options.directory, options.sizeBytes);
    this.#loggedSums = new LoggedSums(options.files);
    this.#appliedTimeMs = manifest.floor.timeMs;
  }

  async run(): Promise<Recovered> {
    const undoSegments = await this.#recoverUndo();
    const { floor, sessions } = this.#manifest;
    const undoPosition = Math.max(floor.position, this.#lastUndo?.position ?? 0);
    let backlogBytes = 0;
    const doSegments = await recoverDo(this.#folder, (header, segment, fileOffset) => {
      this.#firstDo ??= header.position;
      this.#lastDo = header;
      const base = sessions.base(header.session);
      if (base === undefined || base + header.n !== header.position) {
        const place = { file: segment.path, offset: fileOffset, position: header.position };
        throw corrupt('record of an unknown session', place);
      }
      if (header.position === undoPosition) this.#reached = header;
      if (header.position > undoPosition) backlogBytes += RECORD_HEADER_BYTES + payloadBytes(header);
    });
    this.#assertJoined(undoPosition);
    this.#assertWholeUndo(undoSegments, undoPosition);

    const reach = this.#reach(undoPosition);
    if (reach.done !== undefined && this.#reached !== undefined) {
      backlogBytes += RECORD_HEADER_BYTES + payloadBytes(this.#reached);
    }
    const doLog = this.#segmentLog('do', doSegments);
    if (this.#firstDo !== undefined) {
      await this.#loggedSums.collect(undoSegments, Math.max(this.#firstDo, floor.position + 1));
    }
    const cursor = await this.#redo(doLog, reach);
    const undoLog = this.#segmentLog('undo', undoSegments);
    const appliedPosition = reach.done === undefined ? reach.position : reach.position - 1;
    if (this.#manifest.format < SUMS_FORMAT) await this.#replica.buildSums();
    await this.#commit(doLog, undoLog);
    if (this.#manifest.format < MANIFEST_FORMAT) await this.#upgrade(appliedPosition);

    const durable = this.#lastDo ?? { position: appliedPosition, timeMs: this.#appliedTimeMs };
    // At once: an older session that goes on would otherwise reach the base of a forgotten one.
    if (sessions.forgetEmpty(durable.position)) await this.#manifest.save();
    return {
      manifest: this.#manifest,
      replica: this.#replica,
      doLog,
      undoLog,
      durable: this.#locate(durable.position, durable.timeMs),
      applied: this.#locate(appliedPosition, this.#appliedTimeMs),
      cursor,
      backlogBytes,
    };
  }

  #recoverUndo(): Promise<readonly Segment[]> {
    const { trimPosition, floor } = this.#manifest;
    return recoverUndo(this.#folder, trimPosition, (header) => {
      this.#lastUndo = header;
      if (header.last && header.position > floor.position) this.#appliedTimeMs = header.timeMs;
    });
  }

  /** All that is applied is in the replica image, and its sums are there: none of it is redone any more. */
  async #upgrade(appliedPosition: number): Promise<void> {
    const from = this.#manifest.format;
    this.#manifest.format = MANIFEST_FORMAT;
    if (appliedPosition > this.#manifest.floor.position) {
      this.#manifest.floor = { position: appliedPosition, timeMs: this.#appliedTimeMs };
    }
    await this.#manifest.save();
    const { directory, log } = this.#options;
    log?.info({ directory, from, to: MANIFEST_FORMAT }, 'brought the journal to the present format');
  }

  #reach(undoPosition: number): UndoReach {
    const last = this.#lastUndo;
    if (last === undefined || last.last || last.position < undoPosition) {
      return { position: undoPosition, done: undefined };
    }
    return { position: undoPosition, done: last.offset + coveredBytes(last) - (this.#reached?.offset ?? 0) };
  }

  /** DO must begin where UNDO ends or before, and reach at least as far. */
  #assertJoined(undoPosition: number): void {
    const file = join(this.#options.directory, 'do');
    const partly = this.#lastUndo?.last === false && this.#lastUndo.position === undoPosition;
    if (this.#firstDo !== undefined && this.#firstDo > undoPosition + 1) {
      throw corrupt('missing DO records', { file, offset: 0, position: undoPosition + 1 });
    }
    const missing = partly && this.#reached === undefined;
    if (missing || (this.#lastDo !== undefined && this.#lastDo.position < undoPosition)) {
      throw corrupt('missing DO records', { file, offset: 0, position: undoPosition });
    }
  }

  /** UNDO must begin right after the trim position, or there is none because nothing is applied after it. */
  #assertWholeUndo(segments: readonly Segment[], undoPosition: number): void {
    const { trimPosition } = this.#manifest;
    const [first] = segments;
    const missing = first === undefined ? undoPosition > trimPosition : first.firstPosition > trimPosition + 1;
    if (!missing) return;
    const file = first?.path ?? join(this.#options.directory, 'undo');
    throw corrupt('missing UNDO before this', { file, offset: 0, position: trimPosition + 1 });
  }

  /** Applies again, without new UNDO, all DO whose UNDO is written. Returns where distribution goes on. */
  async #redo(doLog: SegmentLog, reach: UndoReach): Promise<Cursor> {
    const { files } = this.#options;
    const buffers = takeBatchBuffers();
    const source = (upTo: number): BatchSource => {
      return { files, log: doLog, window: buffers.window, upTo, replicaEnd: this.#replica.end };
    };
    try {
      let cursor = cursorAtStart;
      const whole = reach.done === undefined ? reach.position : reach.position - 1;
      for (let batch = readBatch(source(whole), cursor); batch.pieces.length > 0;) {
        for (const piece of batch.pieces) this.#apply(piece, piece.length, piece.data);
        cursor = batch.next;
        await nextTurn();
        batch = readBatch(source(whole), cursor);
      }
      return reach.done === undefined ? cursor : await this.#redoPart(source, cursor, reach.position, reach.done);
    } finally {
      giveBackBatchBuffers(buffers);
    }
  }

  async #redoPart(
    source: (upTo: number) => BatchSource,
    start: Cursor,
    position: number,
    done: number,
  ): Promise<Cursor> {
    let cursor = start;
    for (;;) {
      const { pieces, next } = readBatch(source(position), cursor);
      const [piece] = pieces;
      if (piece === undefined) throw new RangeError(`position ${position} isn't in the DO journal`);
      const from = piece.offset - piece.header.offset;
      const length = Math.min(piece.length, done - from);
      this.#apply(piece, length, piece.data?.subarray(0, length));
      // The whole payload was checked when the segment was scanned, so no running checksum is needed.
      if (from + length === done) {
        const { segment, fileOffset } = next;
        const recordBytes = RECORD_HEADER_BYTES + payloadBytes(piece.header);
        const recordOffset = piece.last ? fileOffset - recordBytes : fileOffset;
        return { segment, fileOffset: recordOffset, partial: { header: piece.header, done, crc: undefined } };
      }
      cursor = next;
      await nextTurn();
    }
  }

  /** The floor is known to be in the replica image; UNDO that would tell sums of what is before it may be gone. */
  #apply({ header, offset }: Piece, length: number, data: Buffer | undefined): void {
    const known = this.#manifest.format >= SUMS_FORMAT && header.position <= this.#manifest.floor.position;
    if (length === 0 || known) return;
    this.#replica.redo(offset, length, data, (block) => this.#loggedSums.at(header.position, block));
  }

  /** What was read back may still be in the page cache only, and is about to be called durable. */
  async #commit(doLog: SegmentLog, undoLog: SegmentLog): Promise<void> {
    const { files, directory, sync } = this.#options;
    if (!sync || this.#manifest.sessions.entries.length === 0) return;
    for (const segment of [...doLog.segments, ...undoLog.segments]) {
      const last = segment === doLog.segments.at(-1) || segment === undoLog.segments.at(-1);
      if (last || !segment.synced) await files.datasync(segment.path);
    }
    await this.#replica.commit();
    await files.syncDirectory(directory);
  }

  #segmentLog(kind: 'do' | 'undo', segments: readonly Segment[]): SegmentLog {
    const { files, directory, segmentBytes, sync } = this.#options;
    return new SegmentLog({ files, directory, kind, segmentBytes, sync }, segments);
  }

  #locate(position: number, timeMs: number): Durable {
    const { session, n } = this.#manifest.sessions.locate(position) ?? { session: 0, n: 0 };
    return { position, session, n, timeMs };
  }
}
