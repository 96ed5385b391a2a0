// Small facts about a volume's lineage that are not in its segments, or outlive them: one file,
// replaced whole.
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { BLOCK_BYTES } from '../ranges/blocks.js';
import { damageSchema } from '../terms/damage.js';
import type { Damage } from '../terms/damage.js';
import { JournalError } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import { newLineage } from '../terms/lineage.js';
import type { Lineage } from '../terms/lineage.js';
import { Sessions } from './sessions.js';
import { isUnreadable, unlessGivenUp } from '../files/unreadable.js';
import type { Retained } from '../terms/retained-positions.js';

export const MANIFEST_NAME = 'manifest';
/** A copy of the same facts: damage to one small file must not cost a volume's history. */
export const MANIFEST_COPY_NAME = 'manifest.copy';
const NEW_MANIFEST_NAME = 'manifest.new';

const safe = z.int().nonnegative();
const facts = {
  sizeBytes: safe,
  trimPosition: safe,
  floor: z.strictObject({ position: safe, timeMs: safe }),
  sessions: z.array(z.tuple([safe, safe])),
};
const retainedSchema = z.strictObject({ positions: z.array(safe), everyFrom: safe });
const lineageSchema = z.strictObject({
  id: z.string(),
  parent: z.exactOptional(z.strictObject({ id: z.string(), position: safe, reason: z.string() })),
});
/**
 * All formats that can be read. Format 1 had no checksums of the replica image, and retained every
 * position from the trim position on. Format 2 had no lineage.
 */
const manifestSchema = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal(1), ...facts }),
  z.strictObject({ format: z.literal(2), ...facts, retained: retainedSchema }),
  z.strictObject({
    format: z.literal(3),
    ...facts,
    retained: retainedSchema,
    lineage: lineageSchema,
    replicaEnd: safe,
    jumps: z.array(z.tuple([safe, safe])),
    damage: z.array(damageSchema),
  }),
]);
type Stored = z.infer<typeof manifestSchema>;

/** The format that is written now. */
export const MANIFEST_FORMAT = 3;
/** The first format with checksums of the replica image. */
export const SUMS_FORMAT = 2;
/** The first format of which a copy is kept. */
const MIRRORED_FORMAT = 3;

/**
 * A position known to be applied even if no UNDO says so any more, and known to be in the replica
 * image and its checksums (with sync: on the disk). Recovery redoes nothing up to it.
 */
export interface Floor {
  readonly position: number;
  readonly timeMs: number;
}

export class Manifest {
  #sizeBytes: number;
  readonly sessions: Sessions;
  /** Format of the loaded file, until recovery upgrades it to {@link MANIFEST_FORMAT}. */
  format: Stored['format'] = MANIFEST_FORMAT;
  /** The oldest openable position. */
  trimPosition = 0;
  /** The positions that stay openable; the oldest of them is `trimPosition`. */
  retained: Retained = { positions: [], everyFrom: 0 };
  floor: Floor = { position: 0, timeMs: 0 };
  /**
   * Identity of the history, stored before its first record. A file of an older format gets a new
   * one when it is loaded.
   */
  lineage: Lineage = newLineage();
  /** End of the replica image at most, bytes. The checksum file covers all blocks before it. */
  replicaEnd = 0;
  /**
   * Spans of lost positions: after `after`, the last position with a record, up to `upTo`. None of
   * them is given to a record again.
   */
  jumps: readonly (readonly [after: number, upTo: number])[] = [];
  damage: readonly Damage[] = [];
  /** Whether both files have the same facts. */
  isMirrored = false;
  /** Whether the stored facts differ from these: then they are saved before the next record. */
  isBehind = false;
  readonly #files: Files;
  readonly #directory: string;
  readonly sync: boolean;
  /**
   * Whether the folder's own name survives a power cut. Unknown at first: a killed process may have
   * created the folder.
   */
  #folderSynced = false;
  /**
   * The last save. Saves run one after another: each writes the newest facts under one temporary
   * name.
   */
  #saving: Promise<void> = Promise.resolve();

  constructor(files: Files, directory: string, sizeBytes: number, sync: boolean, sessions = new Sessions()) {
    this.#files = files;
    this.#directory = directory;
    this.sync = sync;
    this.#sizeBytes = sizeBytes;
    this.sessions = sessions;
  }

  /**
   * Loads the folder's manifest, or its copy if the manifest is damaged. `none`: neither exists;
   * `lost`: one exists, but none is sound.
   * @throws JournalError SIZE_MISMATCH
   */
  static load(files: Files, directory: string, sizeBytes: number, sync: boolean): Manifest | 'none' | 'lost' {
    const path = join(directory, MANIFEST_NAME);
    const copyPath = join(directory, MANIFEST_COPY_NAME);
    const [bytes, copy] = [readWhole(files, path), readWhole(files, copyPath)];
    const stored = parse(bytes) ?? parse(copy);
    if (stored === undefined) {
      for (const read of [bytes, copy]) if (read instanceof Error) throw read;
      return bytes === undefined && copy === undefined ? 'none' : 'lost';
    }
    if (stored.sizeBytes > sizeBytes) {
      throw new JournalError(
        'SIZE_MISMATCH',
        `${directory} holds a volume of ${stored.sizeBytes} bytes, not of ${sizeBytes}`,
      );
    }
    const manifest = new Manifest(files, directory, sizeBytes, sync, sessionsOf(stored));
    // The volume grew, and no record was appended since.
    if (stored.sizeBytes < sizeBytes) {
      refuseUnevenGrowth(stored.sizeBytes);
      manifest.isBehind = true;
    }
    manifest.trimPosition = stored.trimPosition;
    manifest.floor = stored.floor;
    manifest.format = stored.format;
    if (stored.format === 3) {
      manifest.lineage = stored.lineage;
      manifest.replicaEnd = stored.replicaEnd;
      manifest.jumps = stored.jumps;
      manifest.damage = stored.damage;
      manifest.isMirrored = bytes instanceof Buffer && copy instanceof Buffer && bytes.equals(copy);
    }
    // An unfinished save left different facts: the copy must not come back later, when newer facts
    // count.
    if (!manifest.isMirrored && parse(bytes) !== undefined && copy !== undefined) files.remove(copyPath);
    manifest.retained = stored.format === 1 ? { positions: [], everyFrom: stored.trimPosition } : stored.retained;
    return manifest;
  }

  /** Size of the volume, bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Notes a larger size. It is stored before the next record: until then nothing lies beyond the
   * former end.
   * @throws JournalError OUT_OF_RANGE
   */
  grow(sizeBytes: number): void {
    if (sizeBytes <= this.#sizeBytes) return;
    refuseUnevenGrowth(this.#sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.isBehind = true;
  }

  /**
   * The last position before this one that has a record: only lost positions lie between the two.
   */
  positionBefore(position: number): number {
    return this.jumps.find(([, upTo]) => upTo === position - 1)?.[0] ?? position - 1;
  }

  /**
   * Notes that the short initialization that ends at a position has brought all lost records. Tells
   * whether any were lost.
   */
  makeWhole(position: number): boolean {
    const isLost = (damage: Damage): boolean => damage.kind === 'records' && damage.wholeFrom === undefined;
    if (!this.damage.some(isLost)) return false;
    this.damage = this.damage.map((damage) => (isLost(damage) ? { ...damage, wholeFrom: position } : damage));
    return true;
  }

  /** Undoes `makeWhole` for positions that never became durable. Tells whether there were any. */
  forgetWhole(durablePosition: number): boolean {
    const before = this.damage;
    this.damage = before.map((damage) => {
      if (damage.kind !== 'records' || damage.wholeFrom === undefined) return damage;
      const { wholeFrom, ...lost } = damage;
      return wholeFrom > durablePosition ? lost : damage;
    });
    return this.damage.some((damage, index) => damage !== before[index]);
  }

  /** The session and number of a position; undefined if it is lost or never existed. */
  locate(position: number): { readonly session: number; readonly n: number } | undefined {
    const isLost = this.jumps.some(([after, upTo]) => position > after && position <= upTo);
    return isLost ? undefined : this.sessions.locate(position);
  }

  /**
   * Resolves once the present facts are stored. After a failure the stored facts are the earlier
   * ones or these.
   */
  save(): Promise<void> {
    const saving = this.#saving.then(() => this.#store());
    this.#saving = saving.catch(() => undefined);
    return saving;
  }

  async #store(): Promise<void> {
    this.isBehind = false;
    try {
      await this.#storeBoth();
    } catch (error) {
      this.isBehind = true;
      this.#removeUnfinished();
      throw error;
    }
  }

  /**
   * Removes the unfinished file, which takes room of a full disk. If that fails, the next save
   * removes it.
   */
  #removeUnfinished(): void {
    const newPath = join(this.#directory, NEW_MANIFEST_NAME);
    try {
      if (this.#files.size(newPath) !== undefined) this.#files.remove(newPath);
    } catch {
      // The failure that led here is the one to report.
    }
  }

  async #storeBoth(): Promise<void> {
    const bytes = this.#encode();
    const path = join(this.#directory, MANIFEST_NAME);
    const copyPath = join(this.#directory, MANIFEST_COPY_NAME);
    if (this.#files.size(path) === undefined) this.#files.makeDirectory(this.#directory);
    this.isMirrored = false;
    await this.#replace(path, bytes);
    // A save ends only when both files have the facts, so that either one will do.
    if (this.format >= MIRRORED_FORMAT) {
      await this.#replace(copyPath, bytes);
      this.isMirrored = true;
    }
    if (!this.sync || this.#folderSynced) return;
    await this.#files.syncDirectory(dirname(this.#directory));
    this.#folderSynced = true;
  }

  async #replace(path: string, bytes: Buffer): Promise<void> {
    const newPath = join(this.#directory, NEW_MANIFEST_NAME);
    if (this.#files.size(newPath) !== undefined) this.#files.remove(newPath);
    this.#files.write(newPath, [bytes], 0);
    if (this.sync) await this.#files.datasync(newPath);
    this.#files.rename(newPath, path);
    if (this.sync) await this.#files.syncDirectory(this.#directory);
  }

  #encode(): Buffer {
    const facts = {
      sizeBytes: this.sizeBytes,
      trimPosition: this.trimPosition,
      floor: this.floor,
      sessions: this.sessions.entries.map(({ session, base }): [number, number] => [session, base]),
    };
    const { positions, everyFrom } = this.retained;
    const retained = { positions: [...positions], everyFrom };
    const text = JSON.stringify(this.#inFormat(facts, retained));
    return Buffer.from(`${text}\n${crc32(text)}\n`);
  }

  #inFormat(facts: Omit<Extract<Stored, { format: 1 }>, 'format'>, retained: z.infer<typeof retainedSchema>): Stored {
    switch (this.format) {
      case 1:
        return { format: 1, ...facts };
      case 2:
        return { format: 2, ...facts, retained };
      case 3:
        return {
          format: 3,
          ...facts,
          retained,
          lineage: this.lineage,
          replicaEnd: this.replicaEnd,
          jumps: this.jumps.map(([after, upTo]): [number, number] => [after, upTo]),
          damage: [...this.damage],
        };
    }
  }
}

function parse(bytes: Buffer | Error | undefined): Stored | undefined {
  if (!(bytes instanceof Buffer)) return undefined;
  const [text, check] = bytes.toString().split('\n');
  if (text === undefined || check !== String(crc32(text))) return undefined;
  const json: unknown = JSON.parse(text);
  return manifestSchema.safeParse(json).data;
}

/**
 * Reads a whole file. Undefined if it doesn't exist; empty if it is given up; the disk's error if
 * the disk refuses to read it, because the other file may do.
 */
function readWhole(files: Files, path: string): Buffer | Error | undefined {
  const fileBytes = files.size(path);
  if (fileBytes === undefined) return undefined;
  const bytes = Buffer.alloc(fileBytes);
  try {
    return unlessGivenUp(() => bytes.subarray(0, files.read(path, bytes, 0))) ?? Buffer.alloc(0);
  } catch (error) {
    if (error instanceof Error && isUnreadable(error)) return error;
    throw error;
  }
}

function sessionsOf({ sessions }: Stored): Sessions {
  return new Sessions(sessions.map(([session, base]) => ({ session, base })));
}

/**
 * A last block in part would have another checksum as a whole one.
 * @throws JournalError OUT_OF_RANGE
 */
function refuseUnevenGrowth(sizeBytes: number): void {
  if (sizeBytes % BLOCK_BYTES !== 0)
    throw new JournalError('OUT_OF_RANGE', `a volume of ${sizeBytes} bytes, not of whole blocks, cannot grow`);
}
