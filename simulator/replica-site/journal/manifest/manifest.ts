// The small facts about a volume's lineage that no segment holds any more once it is dropped; one
// file, replaced whole.
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
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
/**
 * The same facts again: one damaged file of some hundred bytes must not cost a volume's history.
 */
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
 * Format 1 had no checksums of the replica image, and retained every position from the trim
 * position on. Format 2 had no identity of the lineage.
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

/** What is written now. */
export const MANIFEST_FORMAT = 3;
/** From this one on the replica image has checksums. */
export const SUMS_FORMAT = 2;
/** From this one on there are two of it. */
const MIRRORED_FORMAT = 3;

/**
 * A position known to be applied though no UNDO may say so any more, and known to be in the replica
 * image and its sums (with sync: on the disk): nothing up to it is ever redone.
 */
export interface Floor {
  readonly position: number;
  readonly timeMs: number;
}

export class Manifest {
  readonly sizeBytes: number;
  readonly sessions: Sessions;
  /** Of what was loaded, until it is brought to {@link MANIFEST_FORMAT}. */
  format: Stored['format'] = MANIFEST_FORMAT;
  /** The oldest openable position. */
  trimPosition = 0;
  /** What of the positions after it stays openable. */
  retained: Retained = { positions: [], everyFrom: 0 };
  floor: Floor = { position: 0, timeMs: 0 };
  /**
   * Made with the manifest; an older format gets one when it is loaded. Stored before any record of
   * it is.
   */
  lineage: Lineage = newLineage();
  /** Bytes of the volume that the replica image may reach: its sums' file covers them all. */
  replicaEnd = 0;
  /**
   * Positions that were lost, each with the last one before it that has a record: none of them is
   * ever given again.
   */
  jumps: readonly (readonly [after: number, upTo: number])[] = [];
  damage: readonly Damage[] = [];
  /** Both files have the same facts. */
  isMirrored = false;
  /** What is stored isn't what these facts are: to be saved before the next record. */
  isBehind = false;
  readonly #files: Files;
  readonly #directory: string;
  readonly sync: boolean;
  /**
   * The folder's own name survives a power cut. From the start it is not known: a life that was
   * killed may have made it.
   */
  #folderSynced = false;
  /** Saves run one after another: each writes the newest facts under the same temporary name. */
  #saving: Promise<void> = Promise.resolve();

  constructor(files: Files, directory: string, sizeBytes: number, sync: boolean, sessions = new Sessions()) {
    this.#files = files;
    this.#directory = directory;
    this.sync = sync;
    this.sizeBytes = sizeBytes;
    this.sessions = sessions;
  }

  /**
   * The folder's manifest, from its copy if the first one is damaged. `lost`: something is there,
   * and none of it is sound.
   * @throws JournalError SIZE_MISMATCH
   */
  static load(files: Files, directory: string, sizeBytes: number, sync: boolean): Manifest | 'none' | 'lost' {
    const path = join(directory, MANIFEST_NAME);
    const copyPath = join(directory, MANIFEST_COPY_NAME);
    const [bytes, copy] = [readWhole(files, path), readWhole(files, copyPath)];
    const stored = parse(bytes) ?? parse(copy);
    if (stored === undefined) {
      for (const refused of [bytes, copy]) if (refused instanceof Error) throw refused;
      return bytes === undefined && copy === undefined ? 'none' : 'lost';
    }
    if (stored.sizeBytes !== sizeBytes) {
      throw new JournalError(
        'SIZE_MISMATCH',
        `${directory} holds a volume of ${stored.sizeBytes} bytes, not of ${sizeBytes}`,
      );
    }
    const manifest = new Manifest(files, directory, sizeBytes, sync, sessionsOf(stored));
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
    // Facts of a save that never ended must not come back later, when others rest on newer ones.
    if (!manifest.isMirrored && parse(bytes) !== undefined && copy !== undefined) files.remove(copyPath);
    manifest.retained = stored.format === 1 ? { positions: [], everyFrom: stored.trimPosition } : stored.retained;
    return manifest;
  }

  /**
   * The highest position before this one that has a record: between the two, none may be missing
   * but what was lost.
   */
  positionBefore(position: number): number {
    return this.jumps.find(([, upTo]) => upTo === position - 1)?.[0] ?? position - 1;
  }

  /**
   * The short initialization that ends at a position brought what was lost before. Tells whether
   * anything was.
   */
  makeWhole(position: number): boolean {
    const isLost = (damage: Damage): boolean => damage.kind === 'records' && damage.wholeFrom === undefined;
    if (!this.damage.some(isLost)) return false;
    this.damage = this.damage.map((damage) => (isLost(damage) ? { ...damage, wholeFrom: position } : damage));
    return true;
  }

  /** Takes back what `makeWhole` said of positions that never became durable. */
  forgetWhole(durablePosition: number): boolean {
    const before = this.damage;
    this.damage = before.map((damage) => {
      if (damage.kind !== 'records' || damage.wholeFrom === undefined) return damage;
      const { wholeFrom, ...lost } = damage;
      return wholeFrom > durablePosition ? lost : damage;
    });
    return this.damage.some((damage, index) => damage !== before[index]);
  }

  /** The session and number of a position; undefined for one that was lost or never was. */
  locate(position: number): { readonly session: number; readonly n: number } | undefined {
    const isLost = this.jumps.some(([after, upTo]) => position > after && position <= upTo);
    return isLost ? undefined : this.sessions.locate(position);
  }

  /**
   * Resolves once the facts as they are now are stored. After a failure the stored ones are as
   * before, or these.
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
      this.#giveUpNew();
      throw error;
    }
  }

  /**
   * What it takes up of a full disk is given back; a file that stays is removed before the next
   * try.
   */
  #giveUpNew(): void {
    const newPath = join(this.#directory, NEW_MANIFEST_NAME);
    try {
      if (this.#files.size(newPath) !== undefined) this.#files.remove(newPath);
    } catch {
      // The failure that led here is the one to tell.
    }
  }

  async #storeBoth(): Promise<void> {
    const bytes = this.#encode();
    const path = join(this.#directory, MANIFEST_NAME);
    const copyPath = join(this.#directory, MANIFEST_COPY_NAME);
    if (this.#files.size(path) === undefined) this.#files.makeDirectory(this.#directory);
    this.isMirrored = false;
    await this.#replace(path, bytes);
    // Nothing may rest on the facts before both have them: so either is as good as the other.
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
 * Undefined if there is no such file; empty if it is given up; the disk's error if it can't be
 * read: the other may do.
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
