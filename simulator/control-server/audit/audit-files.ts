// The files of an audit: lines of JSON that are only ever appended, in files of bounded size, of
// which the oldest go first.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditEntry, auditEntrySchema } from '../../../contracts/audit.js';

/** Largest file, bytes: reading one back takes a few milliseconds of the process's thread. */
const FILE_BYTES_MAX = 256 * 1024;
/** One file spans at most this part (one of 16) of the longest age: entries go by whole files. */
const FILES_PER_AGE = 16;
/**
 * A file's name: the number of its first entry, and the age clock when it was begun, ms. The times
 * in entries are labels, which may be wrong.
 */
const NAME = /^(\d{15})-(\d{15})\.jsonl$/;
const DIGITS = 15;

interface AuditFile {
  readonly path: string;
  /** Number of its first entry. */
  readonly first: number;
  /** The clock of ages when it was begun, ms. */
  readonly beganMs: number;
  bytes: number;
}

export interface AuditLimits {
  /** Most bytes of all files together, give or take one file. */
  readonly bytesMax: number;
  /** Age from which an entry may go, ms. */
  readonly ageMsMax: number;
}

export class AuditFiles {
  readonly #folder: string;
  readonly #limits: AuditLimits;
  /** Oldest first. The last one is written. */
  #files: AuditFile[] = [];
  #nextSeq = 0;
  /** Whether the last line may have no end: a write was cut short. */
  #isTorn = false;
  #isOpen = false;

  constructor(folder: string, limits: AuditLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /**
   * Takes up the files of earlier lives.
   * @returns the age clock when the newest file was begun, ms; undefined without a file
   * @throws the system's error
   */
  open(): number | undefined {
    mkdirSync(this.#folder, { recursive: true });
    this.#files = readdirSync(this.#folder)
      .sort()
      .flatMap((name) => {
        const [, first, beganMs] = NAME.exec(name) ?? [];
        if (first === undefined) return [];
        const path = join(this.#folder, name);
        return { path, first: Number(first), beganMs: Number(beganMs), bytes: statSync(path).size };
      });
    this.#isOpen = true;
    const last = this.#files.at(-1);
    if (last === undefined) return undefined;
    const text = readFileSync(last.path, 'utf8');
    this.#isTorn = text !== '' && !text.endsWith('\n');
    const newest = linesIn(text).at(-1);
    this.#nextSeq = newest === undefined ? last.first : newest.seq + 1;
    return last.beganMs;
  }

  /**
   * Appends an entry under the next number.
   * @param ageMs the clock of ages now
   * @throws the system's error; the entry is not kept then, and its number is used again
   */
  append(entry: Omit<AuditEntry, 'seq'>, ageMs: number): void {
    if (!this.#isOpen) this.open();
    const file = this.#fileToWrite(ageMs);
    const line = `${this.#isTorn ? '\n' : ''}${JSON.stringify({ seq: this.#nextSeq, ...entry })}\n`;
    this.#isTorn = true;
    appendFileSync(file.path, line);
    this.#isTorn = false;
    file.bytes += Buffer.byteLength(line);
    this.#nextSeq += 1;
  }

  /** The entries with lower numbers than `before`, not older than `sinceMs`, newest first. */
  async *entries(before: number | undefined, sinceMs: number): AsyncGenerator<AuditEntry> {
    const files = this.#files.filter(({ first }) => before === undefined || first < before);
    for (const { path } of files.reverse()) {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        // It was dropped in between.
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
        throw error;
      });
      for (const line of linesIn(text).reverse()) {
        if (line.atMs < sinceMs || (before !== undefined && line.seq >= before)) continue;
        // Only what is wanted is checked whole: that takes ten times as long as to parse it.
        const entry = auditEntrySchema.safeParse(line);
        if (entry.success) yield entry.data;
      }
    }
  }

  #fileToWrite(ageMs: number): AuditFile {
    const last = this.#files.at(-1);
    const { ageMsMax } = this.#limits;
    const isFull = last === undefined || last.bytes >= FILE_BYTES_MAX;
    if (!isFull && ageMs - last.beganMs <= ageMsMax / FILES_PER_AGE) return last;
    this.#drop(ageMs);
    const [first, began] = [this.#nextSeq, ageMs].map((number) => String(number).padStart(DIGITS, '0'));
    const path = join(this.#folder, `${first}-${began}.jsonl`);
    const next = { path, first: this.#nextSeq, beganMs: ageMs, bytes: 0 };
    this.#files.push(next);
    this.#isTorn = false;
    return next;
  }

  /** Drops the oldest files, by the bytes of all and by age. Looked at whenever a file begins. */
  #drop(ageMs: number): void {
    const { bytesMax, ageMsMax } = this.#limits;
    let bytes = this.#files.reduce((sum, file) => sum + file.bytes, 0);
    for (let [oldest, next] = this.#files; oldest !== undefined; [oldest, next] = this.#files) {
      // Its newest entry is older than the first one of the next file.
      const endedMs = next?.beganMs ?? ageMs;
      if (bytes <= bytesMax && endedMs >= ageMs - ageMsMax) return;
      // It may be missing: a person removed it, or a full disk never made it.
      rmSync(oldest.path, { force: true });
      bytes -= oldest.bytes;
      this.#files.shift();
    }
  }
}

interface Line {
  readonly seq: number;
  readonly atMs: number;
}

/** The lines that look like entries; one that was cut short does not. */
function linesIn(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      const value: unknown = JSON.parse(line);
      return isLine(value) ? value : [];
    } catch {
      return [];
    }
  });
}

function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null || !('seq' in value) || !('atMs' in value)) return false;
  return typeof value.seq === 'number' && typeof value.atMs === 'number';
}
