// Distribution: reads the old data, appends it to UNDO, and only then overwrites the replica image.
import { AppliedMark } from './manifest/applied-mark.js';
import { giveBackBatchBuffers, takeBatchBuffers } from './replica/batch-buffers.js';
import { cursorAtStart, readBatch } from './do/batch.js';
import type { Batch, Cursor } from './do/batch.js';
import { BLOCK_BYTES } from './ranges/blocks.js';
import { applyChanges, kept, readChanges } from './replica/changes.js';
import type { Change } from './replica/changes.js';
import { RetryPauses } from '../../disk/retry-pauses.js';
import { corrupt } from './terms/errors.js';
import { isRefusal } from './files/file-refusal.js';
import type { Files } from './terms/files.js';
import type { HistoryLoss } from './undo/history-loss.js';
import type { Manifest } from './manifest/manifest.js';
import type { OpenImages } from './images/open-images.js';
import type { Replica } from './replica/replica.js';
import type { Segment, SegmentLog } from './segments/segment-log.js';
import type { Turns } from './turns.js';
import type { Durable, JournalLog } from './terms/types.js';
import type { UndoLog } from './undo/undo-log.js';

/**
 * Bytes at which the growing DO segment is deleted once it is wholly applied. Small segments keep
 * the re-reading at the next opening short, and mostly never reach the disk.
 */
const DO_KEPT_BYTES_MAX = 1024 * 1024;

export interface DistributorParts {
  readonly files: Files;
  readonly directory: string;
  readonly sync: boolean;
  readonly manifest: Manifest;
  readonly history: HistoryLoss;
  readonly doLog: SegmentLog;
  readonly undo: UndoLog;
  readonly replica: Replica;
  readonly images: OpenImages;
  readonly turns: Turns;
  readonly log: JournalLog | undefined;
}

export interface DistributorStart {
  readonly applied: Durable;
  readonly cursor: Cursor;
  /** Bytes of DO after the cursor. */
  readonly backlogBytes: number;
}

export interface DistributorEvents {
  onApplied(applied: Durable): void;
  /** A file can't be used now. Called again after each failed retry. */
  onStalled(error: Error): void;
  /** Distribution works again after a stall. */
  onStallEnded(): void;
  onFailed(error: unknown): void;
}

/**
 * A batch whose UNDO is written and that the replica image may hold in part: it must be applied
 * before anything else.
 */
interface Unfinished {
  readonly batch: Batch;
  readonly changes: readonly Change[];
}

export class Distributor {
  readonly #parts: DistributorParts;
  readonly #events: DistributorEvents;
  readonly #mark: AppliedMark;
  readonly #task = (): void => this.#startBatch();
  #applied: Durable;
  #cursor: Cursor;
  #backlogBytes: number;
  #durablePosition: number;
  #count = 0;
  #damagedBlocks = 0;
  #paused = true;
  #running: Promise<void> | undefined;
  #unfinished: Unfinished | undefined;
  /**
   * DO segments out of the log whose files are still to be removed, in this order: recovery would
   * take a gap for damage.
   */
  readonly #toRemove: Segment[] = [];
  readonly #pauses = new RetryPauses();
  /** Set while distribution waits before it retries after a refusal. */
  #retry: NodeJS.Timeout | undefined;
  #isStalled = false;

  constructor(parts: DistributorParts, start: DistributorStart, durablePosition: number, events: DistributorEvents) {
    this.#parts = parts;
    this.#mark = new AppliedMark(parts.files, parts.directory);
    this.#events = events;
    this.#applied = start.applied;
    this.#cursor = start.cursor;
    this.#backlogBytes = start.backlogBytes;
    this.#durablePosition = durablePosition;
  }

  get applied(): Durable {
    return this.#applied;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Records applied since opening. */
  get count(): number {
    return this.#count;
  }

  /** Overwrites, since opening, of blocks of the replica image that failed their check. */
  get damagedBlocks(): number {
    return this.#damagedBlocks;
  }

  /** Records up to `position` may be applied. */
  extend(position: number, doBytes: number): void {
    this.#durablePosition = position;
    this.#backlogBytes += doBytes;
    this.#continue();
  }

  /**
   * Goes on from another position. All earlier records must be applied and their segments deleted,
   * and distribution paused.
   */
  continueFrom(applied: Durable): void {
    this.#applied = applied;
    this.#durablePosition = applied.position;
    this.#cursor = cursorAtStart;
    this.#backlogBytes = 0;
  }

  async pause(): Promise<void> {
    this.#paused = true;
    this.#parts.turns.remove(this.#task);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    await this.#running;
  }

  resume(): void {
    this.#paused = false;
    this.#continue();
  }

  /** Deletes wholly applied DO segments; the growing one only if it has at least `growingBytes`. */
  async deleteApplied(growingBytes: number): Promise<void> {
    const { files, directory, doLog, replica, sync } = this.#parts;
    const applied = this.#applied.position;
    const growing = doLog.growing;
    let count = doLog.segments.findIndex((segment) => segment.lastPosition > applied || segment === growing);
    if (count === -1) count = doLog.segments.length;
    const growingToo = growing !== undefined && growing.lastPosition <= applied && growing.bytes >= growingBytes;
    if (growingToo) count = doLog.segments.length;
    if (count === 0 && this.#toRemove.length === 0) return;
    // Taken out of the log before waiting for the disk: records appended meanwhile begin a new
    // segment.
    const gone = doLog.shift(count);
    const { segment } = this.#cursor;
    if (segment !== undefined && gone.includes(segment)) this.#cursor = cursorAtStart;
    this.#toRemove.push(...gone);
    if (sync) await replica.commit();
    for (let next = this.#toRemove[0]; next !== undefined; next = this.#toRemove[0]) {
      files.remove(next.path);
      this.#toRemove.shift();
      // One sync for each removal: after a power cut, any of several unsynced removals may be
      // undone, and recovery refuses a log with a gap.
      if (sync) await files.syncDirectory(directory);
    }
  }

  #continue(): void {
    if (this.#paused || this.#running !== undefined || this.#retry !== undefined) return;
    if (this.#applied.position >= this.#durablePosition && !this.#isStalled) return;
    this.#parts.turns.enqueue(this.#task);
  }

  #startBatch(): void {
    this.#running = this.#runBatch();
  }

  async #runBatch(): Promise<void> {
    try {
      if (this.#unfinished !== undefined) await this.#apply(this.#unfinished);
      else if (this.#applied.position < this.#durablePosition) await this.#distribute();
      if (this.#applied.position >= this.#durablePosition) this.#parts.replica.rest();
      await this.deleteApplied(DO_KEPT_BYTES_MAX);
      this.#endStall();
    } catch (error) {
      this.#stalledOrFailed(error);
    }
    this.#running = undefined;
    this.#continue();
  }

  #stalledOrFailed(error: unknown): void {
    if (!isRefusal(error)) {
      this.#paused = true;
      this.#events.onFailed(error);
      return;
    }
    this.#isStalled = true;
    this.#events.onStalled(error);
    if (this.#paused) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#continue();
    }, this.#pauses.next());
    this.#retry.unref();
  }

  #endStall(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#pauses.reset();
    this.#events.onStallEnded();
  }

  async #distribute(): Promise<void> {
    const { files, doLog, replica, undo, images, sync } = this.#parts;
    const buffers = takeBatchBuffers();
    try {
      const { window, old } = buffers;
      const limits = { upTo: this.#durablePosition, replicaEnd: replica.end };
      const batch = readBatch({ files, log: doLog, window, ...limits }, this.#cursor);
      if (batch.pieces.length === 0) throw this.#missingRecords();
      const changes = readChanges(replica, batch.pieces, old);
      await this.#storeEnd(changes);
      const covered = undo.append(changes);
      if (sync) await undo.commit();
      if (images.count > 0) images.publish(covered());
      try {
        await this.#apply({ batch, changes });
      } catch (error) {
        if (isRefusal(error)) this.#unfinished = { batch, changes: changes.map(kept) };
        throw error;
      }
    } finally {
      giveBackBatchBuffers(buffers);
    }
  }

  async #apply({ batch, changes }: Unfinished): Promise<void> {
    applyChanges(this.#parts.replica, changes);
    await this.#noteDamage(changes);
    this.#unfinished = undefined;
    this.#advance(batch);
  }

  /** Stores a larger end of the replica image before the image is written up to it. */
  async #storeEnd(changes: readonly Change[]): Promise<void> {
    const { manifest, replica, sync } = this.#parts;
    const end = changes.reduce((reach, { piece }) => {
      return piece.data === undefined ? reach : Math.max(reach, piece.offset + piece.length);
    }, 0);
    const before = manifest.replicaEnd;
    if (end <= before) return;
    const reach = replica.reachFor(end, before);
    if (sync) await replica.commit();
    manifest.replicaEnd = reach;
    try {
      await manifest.save();
    } catch (error) {
      // The retry of the batch stores it again, before it writes anything.
      manifest.replicaEnd = before;
      throw error;
    }
  }

  async #noteDamage(changes: readonly Change[]): Promise<void> {
    const damaged = changes.filter((change) => change.damaged.length > 0);
    const [first] = damaged;
    const [block] = first?.damaged ?? [];
    if (first === undefined || block === undefined) return;
    const blocks = damaged.reduce((sum, change) => sum + change.damaged.length, 0);
    this.#damagedBlocks += blocks;
    const { replica, log } = this.#parts;
    log?.warn(
      { file: replica.path, offset: block.block * BLOCK_BYTES, position: first.piece.header.position, blocks },
      'overwriting damaged blocks of the replica image: older images can no longer read them',
    );
    for (const { piece, old } of damaged) {
      const { position } = piece.header;
      for (const { kind, offset, length } of old) {
        if (kind !== 'oldDamaged') continue;
        await this.#parts.history.note({ position, offset, length }, { file: replica.path, offset });
      }
    }
  }

  #missingRecords(): Error {
    const segment = this.#cursor.segment ?? this.#parts.doLog.first;
    const file = segment?.path ?? this.#parts.directory;
    return corrupt('missing DO records', {
      file,
      offset: this.#cursor.fileOffset,
      position: this.#applied.position + 1,
    });
  }

  #advance(batch: Batch): void {
    this.#cursor = batch.next;
    this.#backlogBytes -= batch.doBytes;
    const whole = batch.pieces.filter((piece) => piece.last);
    const last = whole.at(-1)?.header;
    const done = batch.next.partial?.done ?? 0;
    this.#mark.write({ position: last?.position ?? this.#applied.position, done });
    if (last === undefined) return;
    this.#count += whole.length;
    this.#applied = { position: last.position, session: last.session, n: last.n, timeMs: last.timeMs };
    this.#events.onApplied(this.#applied);
  }
}
