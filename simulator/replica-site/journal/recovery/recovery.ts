// Recovers a folder after any end of the process: finds what is durable, what is applied and what
// is left to apply. Damage is told apart: damaged history costs the positions that need it, damaged
// DO the records in it.
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { APPLIED_NAME, AppliedMark } from '../manifest/applied-mark.js';
import { Aside, isAsideName } from '../files/aside.js';
import { giveBackBatchBuffers, takeBatchBuffers } from '../replica/batch-buffers.js';
import { cursorAtStart, readBatch } from '../do/batch.js';
import type { BatchSource, Cursor, Piece } from '../do/batch.js';
import type { ByteRange, DamageOf, DamagePlace } from '../terms/damage.js';
import { loseHistory, withReplica } from '../undo/history-loss.js';
import type { Files } from '../terms/files.js';
import { LoggedSums } from './logged-sums.js';
import { judge } from './loss.js';
import type { Loss, Suspect, Verdict } from './loss.js';
import { MANIFEST_COPY_NAME, MANIFEST_FORMAT, MANIFEST_NAME, Manifest, SUMS_FORMAT } from '../manifest/manifest.js';
import { RECORD_HEADER_BYTES, coveredBytes, payloadBytes } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { recoverDo } from './recovered-do.js';
import type { DoRun, RecoveredDo } from './recovered-do.js';
import { recoverUndo } from './recovered-segments.js';
import type { BadPayload, RecoveredUndo, RecoveryFolder, UndoLoss } from './recovered-segments.js';
import { REPLICA_NAME, Replica } from '../replica/replica.js';
import { SUMS_NAME } from '../replica/replica-sums.js';
import { scanRecords } from '../segments/scan.js';
import { SEGMENT_HEADER_BYTES, parseSegmentName } from '../segments/segment-format.js';
import { neverReachedTheDisk, rewriteLastGroup } from '../segments/rewritten-group.js';
import { SegmentLog } from '../segments/segment-log.js';
import type { Segment } from '../segments/segment-log.js';
import type { Durable, JournalLog } from '../terms/types.js';

export interface RecoveryOptions {
  readonly files: Files;
  /** Files for writes that must succeed on a full disk. */
  readonly spareFiles: Files;
  readonly directory: string;
  readonly sizeBytes: number;
  readonly segmentBytes: number;
  readonly sync: boolean;
  /** The last position that others know of. */
  readonly knownPosition: number;
  readonly log: JournalLog | undefined;
}

export interface Recovered {
  readonly manifest: Manifest;
  /** Whether no earlier manifest was usable, so that the lineage begins with this opening. */
  readonly isLineageNew: boolean;
  readonly replica: Replica;
  readonly doLog: SegmentLog;
  readonly undoLog: SegmentLog;
  readonly durable: Durable;
  readonly applied: Durable;
  /** Where distribution continues. */
  readonly cursor: Cursor;
  readonly backlogBytes: number;
  /** Records lost: the caller ends the lineage once all sound records are applied. */
  readonly loss: Loss | undefined;
  /** UNDO that is given up. */
  readonly undoLoss: UndoLoss | undefined;
  /** Damaged old data of records with sound headers. */
  readonly badUndo: readonly BadPayload[];
}

/** @throws JournalError SIZE_MISMATCH */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { files, spareFiles, directory, sizeBytes, sync } = options;
  const names = files.list(directory) ?? [];
  // Sync the names before files are removed because another one replaces them: otherwise a power
  // cut could lose both.
  if (sync && names.length > 0) await files.syncDirectory(directory);
  const stored = names.length === 0 ? 'none' : Manifest.load(spareFiles, directory, sizeBytes, sync);
  if (typeof stored !== 'string') {
    const recovered = await new Recovery(options, stored, names).run();
    return { ...recovered, isLineageNew: false };
  }
  const isLost = stored === 'lost' || names.some(isJournalsName) || options.knownPosition > 0;
  const manifest = isLost ? await startAnew(options, names) : new Manifest(spareFiles, directory, sizeBytes, sync);
  const left = files.list(directory) ?? [];
  const recovered = await new Recovery(options, manifest, left).run();
  return { ...recovered, isLineageNew: true };
}

/** Whether only a journal with records could have left the file. */
function isJournalsName(name: string): boolean {
  return (
    parseSegmentName(name) !== undefined ||
    name === REPLICA_NAME ||
    name === SUMS_NAME ||
    name === APPLIED_NAME ||
    isAsideName(name)
  );
}

/**
 * Begins a new lineage in a folder without a manifest. DO and UNDO can't be used: nobody knows
 * which positions were dropped. The replica image is kept, as most of it is right, but all of it
 * must be compared with its source, or sent again.
 */
async function startAnew(options: RecoveryOptions, names: readonly string[]): Promise<Manifest> {
  const { files, spareFiles, directory, sizeBytes, sync, knownPosition, log } = options;
  const paths = names
    .filter((name) => parseSegmentName(name) !== undefined || name === MANIFEST_NAME || name === MANIFEST_COPY_NAME)
    .map((name) => join(directory, name));
  let upTo = Math.max(knownPosition, new AppliedMark(files, directory).read().position);
  for (const path of paths) upTo = Math.max(upTo, await lastPositionIn(files, path));
  const aside = await new Aside(files, directory, sync).move(paths);
  const manifest = new Manifest(spareFiles, directory, sizeBytes, sync);
  const file = join(directory, MANIFEST_NAME);
  manifest.floor = { position: upTo, timeMs: 0 };
  manifest.retained = { positions: [], everyFrom: upTo };
  manifest.trimPosition = upTo;
  if (upTo > 0) manifest.jumps = [[0, upTo]];
  manifest.damage = [
    { kind: 'history', from: 0, to: upTo, file, offset: 0 },
    { kind: 'records', after: 0, upTo, ranges: 'all', file, offset: 0 },
  ];
  const replica = new Replica(files, directory, sizeBytes);
  if (replica.end > 0) manifest.replicaEnd = replica.reachFor(replica.end, 0);
  await manifest.save();
  log?.warn({ directory, aside, upTo, lineage: manifest.lineage.id }, 'the journal was lost: a new lineage begins');
  return manifest;
}

async function lastPositionIn(files: Files, path: string): Promise<number> {
  let last = 0;
  const range = { from: SEGMENT_HEADER_BYTES, to: files.size(path) ?? 0, payloads: false };
  if (parseSegmentName(path.slice(path.lastIndexOf('/') + 1)) === undefined) return last;
  await scanRecords(files, path, range, ({ position }) => {
    last = Math.max(last, position);
  });
  return last;
}

/** How far UNDO goes: all of `position`, or only its first `done` bytes. */
interface UndoReach {
  readonly position: number;
  readonly done: number | undefined;
}

/** What the logs hold, before anything is judged. */
interface ReadLogs {
  readonly undo: RecoveredUndo;
  readonly found: RecoveredDo;
  /** The last position that UNDO or the manifest's floor reaches. */
  readonly undoPosition: number;
  /** Bytes of each DO record that may not be applied yet. */
  readonly bytesAfter: readonly { readonly position: number; readonly bytes: number }[];
}

interface OpenLogs {
  readonly doLog: SegmentLog;
  readonly undoLog: SegmentLog;
  readonly reach: UndoReach;
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #manifest: Manifest;
  readonly #folder: RecoveryFolder;
  readonly #replica: Replica;
  readonly #loggedSums: LoggedSums;
  readonly #aside: Aside;
  /**
   * Time of the last whole applied position, milliseconds since 1970, from UNDO or the manifest.
   */
  #appliedTimeMs: number;
  #lastUndo: RecordHeader | undefined;
  /** DO header of the last position that UNDO reaches, by position. */
  readonly #doHeaders = new Map<number, RecordHeader>();
  /** Byte, by file, where the last group that was read begins. */
  readonly #groupStarts = new Map<string, number>();

  /** @param names files in the journal's folder */
  constructor(options: RecoveryOptions, manifest: Manifest, names: readonly string[]) {
    this.#options = options;
    this.#manifest = manifest;
    const { files, directory, log } = options;
    this.#folder = { files, directory, names, manifest, log, damaged: new Set() };
    this.#replica = new Replica(options.spareFiles, options.directory, options.sizeBytes);
    this.#loggedSums = new LoggedSums(options.files);
    this.#aside = new Aside(options.files, options.directory, options.sync);
    this.#appliedTimeMs = manifest.floor.timeMs;
  }

  async run(): Promise<Omit<Recovered, 'isLineageNew'>> {
    const logs = await this.#readLogs();
    const verdict = await this.#judge(logs);
    const { applied, loss, undoLoss } = verdict;
    const { doLog, undoLog, reach } = await this.#openLogs(logs, verdict);
    const cursor = await this.#restoreReplica(logs, verdict, doLog, reach);
    await this.#noteDamage(logs.undo, verdict);

    const durable = this.#durable(logs, verdict);
    const position = Math.max(durable.position, applied);
    await this.#saveManifest(position, loss);
    const left = logs.bytesAfter.filter((one) => one.position > applied && one.position <= position);
    return {
      manifest: this.#manifest,
      replica: this.#replica,
      doLog,
      undoLog,
      durable: this.#locate(position, durable.timeMs),
      applied: this.#locate(applied, this.#appliedTimeMs),
      cursor,
      backlogBytes: left.reduce((sum, { bytes }) => sum + bytes, 0),
      loss,
      undoLoss,
      badUndo: logs.undo.bad.filter(({ header }) => header.position > (undoLoss?.before ?? 0)),
    };
  }

  /** Reads UNDO, then DO. Changes nothing. */
  async #readLogs(): Promise<ReadLogs> {
    const { floor } = this.#manifest;
    const undo = await recoverUndo(this.#folder, (header, segment, fileOffset) => {
      this.#lastUndo = header;
      this.#groupStarts.set(segment.path, fileOffset - header.groupDistance);
      if (header.last && header.position > floor.position) this.#appliedTimeMs = header.timeMs;
    });
    const undoPosition = Math.max(floor.position, this.#lastUndo?.position ?? 0);
    const bytesAfter: { readonly position: number; readonly bytes: number }[] = [];
    const found = await recoverDo(this.#folder, (header, segment, fileOffset) => {
      this.#groupStarts.set(segment.path, fileOffset - header.groupDistance);
      if (header.position >= undoPosition - 1) {
        bytesAfter.push({ position: header.position, bytes: RECORD_HEADER_BYTES + payloadBytes(header) });
      }
      if (header.position === undoPosition) this.#doHeaders.set(header.position, header);
    });
    return { undo, found, undoPosition, bytesAfter };
  }

  /** Opens what the verdict leaves of both logs. */
  async #openLogs({ undo, found }: ReadLogs, verdict: Verdict): Promise<OpenLogs> {
    const { loss, undoLoss } = verdict;
    const doSegments = loss === undefined ? found.segments : await this.#cutDo(found, loss);
    const reach = this.#reach(verdict);
    const doLog = this.#segmentLog('do', doSegments);
    const undoSegments = undo.segments.filter(({ lastPosition }) => lastPosition > (undoLoss?.before ?? -1));
    const undoLog = this.#segmentLog('undo', undoSegments);
    await this.#commitLogs([doLog, undoLog]);
    return { doLog, undoLog, reach };
  }

  /** Brings the replica image to the applied position. Returns where distribution continues. */
  async #restoreReplica(
    { undo, found }: ReadLogs,
    { applied, loss, undoLoss, suspects }: Verdict,
    doLog: SegmentLog,
    reach: UndoReach,
  ): Promise<Cursor> {
    const { floor, replicaEnd } = this.#manifest;
    const { first } = found;
    if (first !== undefined) {
      await this.#loggedSums.collect(undo.segments, Math.max(first, floor.position + 1), undoLoss);
    }
    if (await this.#replica.condemnUnknown(replicaEnd)) {
      this.#options.log?.warn({ file: this.#replica.path }, 'checksums of the replica image are gone');
    }
    // Must come before redo, which extends the file again.
    if (this.#manifest.format >= SUMS_FORMAT) await this.#replica.findCutOff();
    const runs = loss === undefined ? found.runs : found.runs.filter((run) => run.from <= loss.drainTo);
    const cursor = await this.#redo(doLog, runs, suspects, reach);
    await this.#replica.checkAgain([...rangesOf(this.#manifest), ...this.#replica.damagedRanges]);
    this.#replica.use(this.#options.files);
    if (this.#manifest.format < SUMS_FORMAT) await this.#replica.buildSums();
    if (this.#options.sync) await this.#replica.commit();
    if (this.#manifest.format < MANIFEST_FORMAT) await this.#upgrade(applied);
    return cursor;
  }

  /** The last durable position, and its time. */
  #durable({ found }: ReadLogs, { applied, loss }: Verdict): Pick<Durable, 'position' | 'timeMs'> {
    if (loss !== undefined) return { position: Math.max(applied, loss.drainTo), timeMs: this.#appliedTimeMs };
    return found.last ?? { position: applied, timeMs: this.#appliedTimeMs };
  }

  /** Saves the manifest if what it has of positions up to this one must be stored. */
  async #saveManifest(position: number, loss: Loss | undefined): Promise<void> {
    const { sessions } = this.#manifest;
    // Forget them now: otherwise an older session that continues could reach the base of a
    // forgotten one.
    const forgets = loss === undefined && sessions.forgetEmpty(position);
    const hasForgotten = this.#manifest.forgetWhole(position) || forgets;
    const isStored = sessions.entries.length > 0 || this.#manifest.jumps.length > 0;
    if (hasForgotten) this.#manifest.isBehind = true;
    // With sync, save in any case: the manifest may have been written without sync, or the folder's
    // name not be synced.
    const isSynced = this.#options.sync && this.#folder.names.length > 0;
    if (isSynced || (isStored && !this.#manifest.isMirrored)) await this.#manifest.save();
  }

  async #judge({ undo, found, undoPosition }: ReadLogs): Promise<Verdict> {
    const { manifest } = this.#folder;
    const isPartial = this.#lastUndo?.last === false && this.#lastUndo.position === undoPosition;
    const { done = 0 } = this.#reach({ applied: undoPosition, partial: isPartial ? undoPosition : undefined });
    return judge({
      undo,
      found,
      undoPosition,
      isPartial,
      done,
      floor: manifest.floor.position,
      trimPosition: manifest.trimPosition,
      mark: new AppliedMark(this.#options.files, this.#options.directory).read(),
      pending: pendingLoss(manifest),
      positionBefore: (position) => manifest.positionBefore(position),
      knownPosition: this.#options.knownPosition,
      rangesOfUndo: (from, to) => this.#rangesOfUndo(undo, from, to),
      folderPlace: { file: this.#options.directory, offset: 0 },
    });
  }

  /**
   * Bytes that some positions overwrote, according to their UNDO; undefined if it is not all there.
   */
  async #rangesOfUndo(
    { segments, loss }: RecoveredUndo,
    from: number,
    to: number,
  ): Promise<readonly ByteRange[] | undefined> {
    const [oldest] = segments;
    const beginning = Math.max(loss?.before ?? 0, oldest?.firstPosition ?? Infinity);
    if (from < beginning) return undefined;
    const ranges: ByteRange[] = [];
    for (const segment of segments) {
      if (segment.lastPosition < from || segment.firstPosition > to) continue;
      const start = loss?.rest?.segment.path === segment.path ? loss.rest.at : SEGMENT_HEADER_BYTES;
      const range = { from: start, to: segment.bytes, payloads: false };
      const { fault } = await scanRecords(this.#options.files, segment.path, range, (header) => {
        const length = coveredBytes(header);
        const { position, offset } = header;
        if (position >= from && position <= to && length > 0) ranges.push({ offset, length });
      });
      if (fault !== undefined) return undefined;
    }
    return ranges;
  }

  /**
   * Cuts off DO after the last record that can be applied. It stores the loss first: the next
   * opening must not take the rest of DO for all of it.
   */
  async #cutDo({ segments, runs }: RecoveredDo, loss: Loss): Promise<readonly Segment[]> {
    const { files } = this.#options;
    const pending = damageOf(loss);
    const others = this.#manifest.damage.filter(
      (damage) => damage.kind !== 'records' || !isPending(this.#manifest, damage),
    );
    this.#manifest.damage = [...others, pending];
    await this.#manifest.save();
    const end = runs.findLast((run) => run.from <= loss.drainTo)?.end;
    const kept = segments.filter((segment) => end !== undefined && segment.sequence <= end.segment.sequence);
    const gone = segments.filter((segment) => !kept.includes(segment));
    await this.#aside.move(gone.map(({ path }) => path));
    const last = kept.at(-1);
    if (end === undefined || last === undefined) return [];
    if ((files.size(last.path) ?? 0) > end.at) {
      await this.#aside.copy(last.path);
      files.truncate(last.path, end.at);
    }
    return [...kept.slice(0, -1), { ...last, bytes: end.at, lastPosition: Math.min(last.lastPosition, loss.drainTo) }];
  }

  /**
   * Stores what was found, then moves useless files aside. After a kill between the two, the next
   * opening finds fewer files.
   */
  async #noteDamage({ segments, unused }: RecoveredUndo, { applied, undoLoss, suspects }: Verdict): Promise<void> {
    const manifest = this.#manifest;
    const before = manifest.damage;
    manifest.damage = withReplica(manifest.damage, this.#replica);
    if (undoLoss === undefined && suspects.length === 0 && manifest.damage === before) return;
    if (applied > manifest.floor.position) manifest.floor = { position: applied, timeMs: this.#appliedTimeMs };
    if (undoLoss !== undefined) loseHistory(manifest, undoLoss);
    await manifest.save();
    if (undoLoss === undefined) return;
    const { log, directory } = this.#options;
    const useless = segments.filter(({ lastPosition }) => lastPosition <= undoLoss.before).map(({ path }) => path);
    const aside = await this.#aside.move([...unused, ...useless]);
    log?.warn({ directory, ...undoLoss.place, before: undoLoss.before, aside }, 'history before a position was lost');
  }

  /**
   * Upgrades the manifest to the present format. All applied records are in the replica image and
   * its checksums, so the floor moves to the last of them.
   */
  async #upgrade(appliedPosition: number): Promise<void> {
    const from = this.#manifest.format;
    this.#manifest.format = MANIFEST_FORMAT;
    if (appliedPosition > this.#manifest.floor.position) {
      this.#manifest.floor = { position: appliedPosition, timeMs: this.#appliedTimeMs };
    }
    const { end } = this.#replica;
    if (end > 0) this.#manifest.replicaEnd = this.#replica.reachFor(end, 0);
    await this.#manifest.save();
    const { directory, log } = this.#options;
    log?.info({ directory, from, to: MANIFEST_FORMAT }, 'brought the journal to the present format');
  }

  #reach({ applied, partial }: Pick<Verdict, 'applied' | 'partial'>): UndoReach {
    const last = this.#lastUndo;
    if (partial === undefined || last === undefined) return { position: applied, done: undefined };
    const offset = this.#doHeaders.get(partial)?.offset ?? 0;
    return { position: partial, done: last.offset + coveredBytes(last) - offset };
  }

  /**
   * Applies again, without new UNDO, all DO whose UNDO is written. In between it condemns blocks
   * that lost records may have left half-written. Returns where distribution continues.
   */
  async #redo(
    doLog: SegmentLog,
    runs: readonly DoRun[],
    suspects: readonly Suspect[],
    reach: UndoReach,
  ): Promise<Cursor> {
    const { files } = this.#options;
    const buffers = takeBatchBuffers();
    const source = (upTo: number): BatchSource => {
      return { files, log: doLog, window: buffers.window, upTo, replicaEnd: this.#replica.end };
    };
    const waiting = [...suspects].sort((one, other) => one.from - other.from);
    const condemnUpTo = (position: number): void => {
      for (let [next] = waiting; next !== undefined && next.from <= position; [next] = waiting) {
        for (const { offset, length } of next.ranges) this.#replica.condemn(offset, length);
        waiting.shift();
      }
    };
    const whole = reach.done === undefined ? reach.position : reach.position - 1;
    let cursor = cursorAtStart;
    try {
      for (const [index, run] of runs.entries()) {
        if (index > 0 || !isAtStart(run, doLog)) cursor = cursorAt(run, doLog);
        condemnUpTo(Math.min(run.from, whole));
        if (run.from > whole) break;
        const upTo = Math.min(whole, run.to);
        for (let batch = readBatch(source(upTo), cursor); batch.pieces.length > 0;) {
          for (const piece of batch.pieces) this.#apply(piece, piece.length, piece.data);
          cursor = batch.next;
          await nextTurn();
          if (batch.pieces.at(-1)?.last === true && batch.pieces.at(-1)?.header.position === upTo) break;
          batch = readBatch(source(upTo), cursor);
        }
        if (run.to > whole) break;
      }
      condemnUpTo(Infinity);
      if (runs.every(({ to }) => to <= whole) && reach.done === undefined) cursor = cursorAtEnd(doLog);
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
      // The scan of the segment checked the whole payload, so no running checksum is needed.
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

  /**
   * Redoes a piece, unless it is at or before the floor: that is known to be in the replica image,
   * and the UNDO with its checksums may be gone.
   */
  #apply({ header, offset }: Piece, length: number, data: Buffer | undefined): void {
    const known = this.#manifest.format >= SUMS_FORMAT && header.position <= this.#manifest.floor.position;
    if (length === 0 || known) return;
    const { position } = header;
    const isKnown = this.#loggedSums.isKnown(position);
    const loggedSum = isKnown ? (block: number) => this.#loggedSums.at(position, block) : undefined;
    this.#replica.redo(offset, length, data, loggedSum, this.#loggedSums.overwrittenAt(position));
  }

  /**
   * What was read back may be in the page cache only, and is about to be called durable, or be
   * relied on when redo overwrites the replica image. After a failed sync, in this life or an
   * earlier one, the system reads it back, syncs it with success and has never written it. So what
   * no sync is known to have reached is written again: the last group of each log, since a later
   * group is proof of the sync before it. (Redo writes the replica image again, `run` the
   * manifest.)
   * @throws JournalError FAILED: the page cache let go of what never reached the disk since it was
   * checked; the next opening cuts it off
   */
  async #commitLogs(logs: readonly SegmentLog[]): Promise<void> {
    const { files, sync } = this.#options;
    if (!sync) return;
    for (const { segments } of logs) {
      for (const segment of segments) if (!segment.synced) await files.datasync(segment.path);
      const last = segments.at(-1);
      const start = last === undefined ? undefined : this.#groupStarts.get(last.path);
      if (last === undefined || start === undefined || start >= last.bytes) continue;
      // A damaged group stays as it is, for people to look at: it was not left by a failed sync.
      const { fault } = await scanRecords(
        files,
        last.path,
        { from: start, to: last.bytes, payloads: true },
        () => undefined,
      );
      if (fault === undefined) await rewriteLastGroup(files, last, start);
      else if (!this.#folder.damaged.has(last.path)) throw neverReachedTheDisk(last.path);
    }
  }

  #segmentLog(kind: 'do' | 'undo', segments: readonly Segment[]): SegmentLog {
    const { files, directory, segmentBytes, sync } = this.#options;
    return new SegmentLog({ files, directory, kind, segmentBytes, sync }, segments);
  }

  #locate(position: number, timeMs: number): Durable {
    const { session, n } = this.#manifest.locate(position) ?? { session: 0, n: 0 };
    return { position, session, n, timeMs };
  }
}

function isAtStart({ start }: DoRun, doLog: SegmentLog): boolean {
  return start.segment.sequence === doLog.first?.sequence && start.at === SEGMENT_HEADER_BYTES;
}

/** The cursor after all of DO: no record is left to apply, and earlier ones may be damaged. */
function cursorAtEnd({ segments }: SegmentLog): Cursor {
  const last = segments.at(-1);
  return last === undefined ? cursorAtStart : { segment: last, fileOffset: last.bytes, partial: undefined };
}

function cursorAt({ start }: DoRun, doLog: SegmentLog): Cursor {
  const segment = doLog.segments.find(({ sequence }) => sequence === start.segment.sequence);
  return { segment, fileOffset: start.at, partial: undefined };
}

function rangesOf({ damage }: Manifest): readonly ByteRange[] {
  return damage.flatMap((one) => (one.kind === 'replica' ? one.ranges : []));
}

/** A stored loss whose new lineage has not begun yet. */
function pendingLoss(manifest: Manifest): DamageOf<'records'> | undefined {
  for (const damage of manifest.damage) {
    if (damage.kind === 'records' && isPending(manifest, damage)) return damage;
  }
  return undefined;
}

function isPending({ jumps }: Manifest, { upTo, wholeFrom }: DamageOf<'records'>): boolean {
  return wholeFrom === undefined && upTo > 0 && !jumps.some((jump) => jump[1] === upTo);
}

export function damageOf({ after, upTo, ranges, place }: Loss): DamageOf<'records'> {
  const { file, offset }: DamagePlace = place;
  return { kind: 'records', after, upTo, ranges: ranges === 'all' ? 'all' : [...ranges], file, offset };
}
