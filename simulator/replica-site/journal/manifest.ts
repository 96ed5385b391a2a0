// The small facts about a volume's lineage that no segment holds any more once it is dropped; one file, replaced whole.
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { JournalError, corrupt } from './errors.js';
import type { Files } from './files.js';
import { newLineage } from './lineage.js';
import type { Lineage } from './lineage.js';
import { Sessions } from './sessions.js';
import type { Retained } from './types.js';

export const MANIFEST_NAME = 'manifest';
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
 * Format 1 had no checksums of the replica image, and retained every position from the trim position on. Format 2 had no
 * identity of the lineage.
 */
const manifestSchema = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal(1), ...facts }),
  z.strictObject({ format: z.literal(2), ...facts, retained: retainedSchema }),
  z.strictObject({ format: z.literal(3), ...facts, retained: retainedSchema, lineage: lineageSchema }),
]);
type Stored = z.infer<typeof manifestSchema>;

/** What is written now. */
export const MANIFEST_FORMAT = 3;
/** From this one on the replica image has checksums. */
export const SUMS_FORMAT = 2;

/**
 * A position known to be applied though no UNDO may say so any more, and known to be in the replica image and its sums
 * (with sync: on the disk): nothing up to it is ever redone.
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
  /** Made with the manifest; an older format gets one when it is loaded. Stored before any record of it is. */
  lineage: Lineage = newLineage();
  readonly #files: Files;
  readonly #directory: string;
  readonly #sync: boolean;
  /** Saves run one after another: each writes the newest facts under the same temporary name. */
  #saving: Promise<void> = Promise.resolve();

  constructor(files: Files, directory: string, sizeBytes: number, sync: boolean, sessions = new Sessions()) {
    this.#files = files;
    this.#directory = directory;
    this.#sync = sync;
    this.sizeBytes = sizeBytes;
    this.sessions = sessions;
  }

  /** The folder's manifest, or undefined if it has none. @throws JournalError CORRUPT, SIZE_MISMATCH */
  static load(files: Files, directory: string, sizeBytes: number, sync: boolean): Manifest | undefined {
    const path = join(directory, MANIFEST_NAME);
    const fileBytes = files.size(path);
    if (fileBytes === undefined) return undefined;
    const bytes = Buffer.alloc(fileBytes);
    files.read(path, bytes, 0);
    const stored = parse(bytes);
    if (stored === undefined) throw corrupt('damaged manifest', { file: path, offset: 0, position: 0 });
    if (stored.sizeBytes !== sizeBytes) {
      throw new JournalError(
        'SIZE_MISMATCH',
        `${directory} holds a volume of ${stored.sizeBytes} bytes, not of ${sizeBytes}`,
      );
    }
    const sessions = new Sessions(stored.sessions.map(([session, base]) => ({ session, base })));
    const manifest = new Manifest(files, directory, sizeBytes, sync, sessions);
    manifest.trimPosition = stored.trimPosition;
    manifest.floor = stored.floor;
    manifest.format = stored.format;
    if (stored.format === 3) manifest.lineage = stored.lineage;
    manifest.retained = stored.format === 1 ? { positions: [], everyFrom: stored.trimPosition } : stored.retained;
    return manifest;
  }

  /** Resolves once the facts as they are now are stored. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#store());
    return this.#saving;
  }

  async #store(): Promise<void> {
    const path = join(this.#directory, MANIFEST_NAME);
    const newPath = join(this.#directory, NEW_MANIFEST_NAME);
    const bytes = this.#encode();
    const first = this.#files.size(path) === undefined;
    if (first) this.#files.makeDirectory(this.#directory);
    if (this.#files.size(newPath) !== undefined) this.#files.remove(newPath);
    this.#files.write(newPath, [bytes], 0);
    if (this.#sync) await this.#files.datasync(newPath);
    this.#files.rename(newPath, path);
    if (!this.#sync) return;
    await this.#files.syncDirectory(this.#directory);
    if (first) await this.#files.syncDirectory(dirname(this.#directory));
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
        return { format: 3, ...facts, retained, lineage: this.lineage };
    }
  }
}

function parse(bytes: Buffer): Stored | undefined {
  const [text, check] = bytes.toString().split('\n');
  if (text === undefined || check !== String(crc32(text))) return undefined;
  const json: unknown = JSON.parse(text);
  return manifestSchema.safeParse(json).data;
}
