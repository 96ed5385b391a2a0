// A file system in memory that can be killed at any call, as a process, or lose power, as a
// machine.
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Files } from '../../simulator/replica-site/journal/terms/files.js';

/** A disk writes this much whole or not at all, bytes. */
const SECTOR_BYTES = 512;

/** What every call of a dead disk throws. */
export class DiskDead extends Error {
  override readonly name = 'DiskDead';
}

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number };

class Inode {
  /** What the process sees. */
  bytes: Buffer = Buffer.alloc(0);
  /** What a power cut leaves for sure, and what it may leave. */
  synced: Buffer = Buffer.alloc(0);
  unsynced: Change[] = [];

  change(change: Change): void {
    this.bytes = changed(this.bytes, change);
    this.unsynced.push(change);
  }

  sync(): void {
    this.synced = Buffer.from(this.bytes);
    this.unsynced = [];
  }

  losePower(random: () => number): void {
    for (const change of this.unsynced) {
      if ('length' in change) {
        if (random() < 0.5) this.synced = changed(this.synced, change);
        continue;
      }
      for (const sector of sectors(change.at, change.bytes)) {
        if (random() < 0.5) this.synced = changed(this.synced, sector);
      }
    }
    this.bytes = this.synced;
    this.sync();
  }
}

interface NameChange {
  readonly path: string;
  /** Undefined: the name is removed. */
  readonly inode: Inode | undefined;
}

export class MemoryDisk implements Files {
  #names = new Map<string, Inode>();
  #syncedNames = new Map<string, Inode>();
  #unsyncedNames: NameChange[] = [];
  readonly #directories = new Set<string>();
  /** Changes until death. */
  #callsLeft = Infinity;
  #tornShare = 0;
  /** Changes so far: lets a test choose when to die. */
  changes = 0;

  get dead(): boolean {
    return this.#callsLeft < 0;
  }

  /** Dies at the change after `calls` more; a write then keeps `tornShare` of its bytes. */
  dieAfter(calls: number, tornShare: number): void {
    if (this.dead) return;
    this.#callsLeft = calls;
    this.#tornShare = tornShare;
  }

  /** The process is gone, the files stay as they are. */
  revive(): void {
    this.#callsLeft = Infinity;
  }

  /**
   * The machine is gone: names changed since their folder was synced stay up to some point,
   * unsynced sectors at random.
   */
  losePower(random: () => number): void {
    const kept = Math.floor(random() * (this.#unsyncedNames.length + 1));
    for (const change of this.#unsyncedNames.slice(0, kept)) rename(this.#syncedNames, change);
    this.#unsyncedNames = [];
    this.#names = new Map(this.#syncedNames);
    for (const inode of new Set(this.#names.values())) inode.losePower(random);
  }

  /** The bytes themselves, for tests that damage files. */
  contents(path: string): Buffer {
    return this.#inode(path).bytes;
  }

  makeDirectory(directory: string): void {
    this.#beforeChange();
    this.#directories.add(directory);
  }

  list(directory: string): readonly string[] | undefined {
    this.#assertAlive();
    if (!this.#directories.has(directory)) return undefined;
    return [...this.#names.keys()]
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1));
  }

  size(path: string): number | undefined {
    this.#assertAlive();
    return this.#names.get(path)?.bytes.length;
  }

  read(path: string, into: Uint8Array, at: number): number {
    this.#assertAlive();
    const { bytes } = this.#inode(path);
    return at >= bytes.length ? 0 : bytes.copy(into, 0, at);
  }

  async readLater(path: string, into: Uint8Array, at: number): Promise<number> {
    const half = into.length >>> 1;
    const first = this.read(path, into.subarray(0, half), at);
    await nextTurn();
    return first < half ? first : half + this.read(path, into.subarray(half), at + half);
  }

  write(path: string, parts: readonly Uint8Array[], at: number): void {
    this.#assertAlive();
    const bytes = Buffer.concat(parts);
    const dies = this.#callsLeft === 0;
    const kept = dies ? bytes.subarray(0, Math.floor(bytes.length * this.#tornShare)) : bytes;
    if (!this.#names.has(path)) this.#rename({ path, inode: new Inode() });
    this.#inode(path).change({ at, bytes: kept });
    this.#beforeChange();
  }

  truncate(path: string, length: number): void {
    this.#beforeChange();
    this.#inode(path).change({ length });
  }

  rename(from: string, to: string): void {
    this.#beforeChange();
    const inode = this.#inode(from);
    // In this order: a power cut may leave both names, but never neither.
    this.#names.delete(from);
    this.#names.set(to, inode);
    this.#unsyncedNames.push({ path: to, inode });
    this.#unsyncedNames.push({ path: from, inode: undefined });
  }

  remove(path: string): void {
    this.#beforeChange();
    this.#rename({ path, inode: undefined });
  }

  async datasync(path: string): Promise<void> {
    const inode = this.#inode(path);
    this.#beforeChange();
    await nextTurn();
    this.#assertAlive();
    inode.sync();
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#beforeChange();
    await nextTurn();
    this.#assertAlive();
    const mine = (change: NameChange): boolean => dirname(change.path) === directory;
    for (const change of this.#unsyncedNames.filter(mine)) rename(this.#syncedNames, change);
    this.#unsyncedNames = this.#unsyncedNames.filter((change) => !mine(change));
  }

  release(): void {
    // Nothing is held open.
  }

  #rename(change: NameChange): void {
    rename(this.#names, change);
    this.#unsyncedNames.push(change);
  }

  #inode(path: string): Inode {
    this.#assertAlive();
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`no such file: ${path}`);
    return inode;
  }

  #beforeChange(): void {
    this.#assertAlive();
    this.#callsLeft -= 1;
    this.changes += 1;
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (this.dead) throw new DiskDead('the disk is dead');
  }
}

function rename(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === undefined) names.delete(path);
  else names.set(path, inode);
}

function changed(bytes: Buffer, change: Change): Buffer {
  if ('length' in change) return Buffer.concat([bytes], change.length);
  const end = change.at + change.bytes.length;
  const larger = end > bytes.length ? Buffer.concat([bytes], end) : bytes;
  change.bytes.copy(larger, change.at);
  return larger;
}

function* sectors(at: number, bytes: Buffer): Generator<{ readonly at: number; readonly bytes: Buffer }> {
  let start = 0;
  while (start < bytes.length) {
    const end = Math.min(bytes.length, start + SECTOR_BYTES - ((at + start) % SECTOR_BYTES));
    yield { at: at + start, bytes: bytes.subarray(start, end) };
    start = end;
  }
}
