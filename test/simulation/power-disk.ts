// A machine's disk under a page cache. A power cut may keep, lose, tear or reorder what is not
// synced, and a failed sync forgets it. Processes open the disk one after another; a dead one can't
// reach it.
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DiskCalls, FileSize } from '../../simulator/disk/disk-calls.js';
import type { Files } from '../../simulator/replica-site/journal/terms/files.js';
import type { Chance } from './virtual-time.js';

/** Bytes that a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** Longest sync, in turns of the event loop: others run meanwhile. */
const SYNC_TURNS_MAX = 4;

/** Thrown by every call of a dead process. */
export class ProcessGone extends Error {
  override readonly name = 'ProcessGone';
}

export interface DiskOptions {
  /**
   * Writing equal bytes never reaches the disk. This disables every mend that rewrites what a
   * failed sync lost.
   */
  readonly skipsEqualBytes?: boolean;
}

interface DirtySector {
  readonly at: number;
  readonly bytes: Buffer;
  /** Number of the file's change that wrote it. */
  readonly change: number;
}

class Inode {
  /** The content that processes read. */
  cache: Buffer = Buffer.alloc(0);
  /** The content on the disk. `#diskBytes` of it count. */
  #disk: Buffer = Buffer.alloc(0);
  #diskBytes = 0;
  /** Sectors not yet on the disk, in order. One sector may be there several times. */
  #dirty: DirtySector[] = [];
  #sizes: { readonly bytes: number; readonly change: number }[] = [];
  /** Changes so far. A sync covers those before it began. */
  changes = 0;

  write(at: number, bytes: Uint8Array, skipsEqual: boolean): void {
    const end = at + bytes.length;
    if (end > this.cache.length) this.#grow(end);
    const target = this.cache.subarray(at, end);
    if (skipsEqual && target.equals(bytes)) return;
    target.set(bytes);
    this.changes += 1;
    const change = this.changes;
    for (let from = at - (at % SECTOR_BYTES); from < end; from += SECTOR_BYTES)
      this.#dirty.push({ at: from, bytes: Buffer.from(this.cache.subarray(from, from + SECTOR_BYTES)), change });
  }

  truncate(bytes: number): void {
    if (bytes > this.cache.length) {
      this.#grow(bytes);
      return;
    }
    this.cache = Buffer.from(this.cache.subarray(0, bytes));
    this.#resized(bytes);
  }

  sync(upTo: number): void {
    for (const sector of this.#takeDirty(upTo)) this.#put(sector);
    const sizes = this.#sizes.filter(({ change }) => change <= upTo);
    this.#settleSize(sizes.at(-1)?.bytes ?? this.#diskBytes, upTo);
  }

  /**
   * Fails a sync: some sectors reached the disk, and all count as clean. They read as before, and
   * no later sync writes them.
   */
  failSync(upTo: number, chance: Chance): void {
    this.#putSome(this.#takeDirty(upTo), chance);
  }

  /** Frees memory: some clean sectors are read from the disk again. */
  evict(chance: Chance): void {
    const dirty = new Set(this.#dirty.map(({ at }) => at));
    for (let at = 0; at < this.cache.length; at += SECTOR_BYTES)
      if (!dirty.has(at) && chance.hit(0.5)) this.#read(at).copy(this.cache, at);
  }

  losePower(chance: Chance): void {
    this.#putSome(this.#takeDirty(this.changes), chance);
    const size = this.#sizes[chance.below(this.#sizes.length + 1) - 1];
    this.#settleSize(size?.bytes ?? this.#diskBytes, this.changes);
    // Bytes beyond a file's end are zero once the file grows again.
    this.#disk.fill(0, Math.min(this.#diskBytes, this.#disk.length));
    this.cache = Buffer.alloc(this.#diskBytes);
    this.#disk.copy(this.cache, 0, 0, this.#diskBytes);
  }

  #grow(bytes: number): void {
    const larger = Buffer.alloc(bytes);
    this.cache.copy(larger);
    this.cache = larger;
    this.#resized(bytes);
  }

  #resized(bytes: number): void {
    this.changes += 1;
    this.#sizes.push({ bytes, change: this.changes });
  }

  #takeDirty(upTo: number): readonly DirtySector[] {
    const taken = this.#dirty.filter(({ change }) => change <= upTo);
    this.#dirty = this.#dirty.filter(({ change }) => change > upTo);
    return taken;
  }

  #putSome(sectors: readonly DirtySector[], chance: Chance): void {
    const share = chance.next();
    for (const sector of sectors) if (chance.hit(share)) this.#put(sector);
  }

  #put({ at, bytes }: DirtySector): void {
    if (at + bytes.length > this.#disk.length) {
      const larger = Buffer.alloc(Math.max(at + bytes.length, this.#disk.length * 2));
      this.#disk.copy(larger);
      this.#disk = larger;
    }
    bytes.copy(this.#disk, at);
  }

  #settleSize(bytes: number, upTo: number): void {
    if (bytes < this.#diskBytes) this.#disk.fill(0, Math.min(bytes, this.#disk.length));
    this.#diskBytes = bytes;
    this.#sizes = this.#sizes.filter(({ change }) => change > upTo);
  }

  #read(at: number): Buffer {
    const bytes = Buffer.alloc(Math.min(SECTOR_BYTES, this.cache.length - at));
    copyFrom(this.#disk.subarray(0, this.#diskBytes), bytes, 0, at);
    return bytes;
  }
}

/** A folder is only a name. Without it, its content is gone. */
const FOLDER = 'folder';
type Entry = Inode | typeof FOLDER;

interface NameChange {
  readonly folder: string;
  /** Its number among all changes of names. */
  readonly change: number;
  /** Names that change together or not at all. */
  readonly changes: readonly { readonly path: string; readonly entry: Entry | undefined }[];
}

export class PowerDisk {
  readonly chance: Chance;
  readonly skipsEqualBytes: boolean;
  readonly #syncedNames = new Map<string, Entry>();
  names: Map<string, Entry>;
  #unsyncedNames: NameChange[] = [];
  #nameChanges = 0;
  /**
   * Folders with a failed sync. As with journaling file systems, none of their changes is synced
   * before the next boot.
   */
  readonly #failedFolders = new Set<string>();
  #process: DiskProcess | undefined;
  #failing: 'file' | 'folder' | undefined;

  /** @param folders on the disk from the beginning. */
  constructor(chance: Chance, folders: readonly string[], { skipsEqualBytes = false }: DiskOptions = {}) {
    this.chance = chance;
    this.skipsEqualBytes = skipsEqualBytes;
    for (const folder of folders) this.#syncedNames.set(folder, FOLDER);
    this.names = new Map(this.#syncedNames);
  }

  /** Starts the next process. The one before is dead. */
  start(onDeath: () => void): DiskProcess {
    this.kill();
    this.#process = new DiskProcess(this, onDeath);
    return this.#process;
  }

  /**
   * Kills the process. The page cache stays: the next process reads what the last one wrote, synced
   * or not.
   */
  kill(): void {
    this.#process?.end();
  }

  /** Cuts the machine's power: its page cache is lost. */
  losePower(): void {
    this.kill();
    const { chance } = this;
    const inOrder = chance.hit(0.5);
    const share = chance.next();
    const keptFirst = chance.below(this.#unsyncedNames.length + 1);
    this.#unsyncedNames.forEach((change, index) => {
      if (inOrder ? index < keptFirst : chance.hit(share)) apply(this.#syncedNames, change);
    });
    this.#unsyncedNames = [];
    for (const path of this.#syncedNames.keys()) if (!this.#isReachable(path)) this.#syncedNames.delete(path);
    this.names = new Map(this.#syncedNames);
    this.#failedFolders.clear();
    this.#failing = undefined;
    for (const inode of this.#inodes()) inode.losePower(chance);
  }

  evict(): void {
    for (const inode of this.#inodes()) inode.evict(this.chance);
  }

  /** Makes the next sync of a file, or of a folder, fail. */
  failSync(what: 'file' | 'folder'): void {
    this.#failing = what;
  }

  /** Ends the failing of syncs, except for folders that need a boot. */
  heal(): void {
    this.#failing = undefined;
  }

  get needsBoot(): boolean {
    return this.#failedFolders.size > 0;
  }

  changeNames(folder: string, ...changes: NameChange['changes']): void {
    this.#nameChanges += 1;
    const change = { folder, changes, change: this.#nameChanges };
    apply(this.names, change);
    this.#unsyncedNames.push(change);
  }

  inode(path: string): Inode {
    const entry = this.names.get(path);
    if (entry instanceof Inode) return entry;
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
  }

  /** Count of changes of names so far. */
  get nameChanges(): number {
    return this.#nameChanges;
  }

  syncFile(inode: Inode, upTo: number): void {
    if (this.#fails('file')) {
      inode.failSync(upTo, this.chance);
      throw ioError();
    }
    inode.sync(upTo);
  }

  syncFolder(folder: string, upTo: number): void {
    if (this.#fails('folder')) this.#failedFolders.add(folder);
    if (this.#failedFolders.has(folder)) throw ioError();
    const mine = (change: NameChange): boolean => change.folder === folder && change.change <= upTo;
    for (const change of this.#unsyncedNames) if (mine(change)) apply(this.#syncedNames, change);
    this.#unsyncedNames = this.#unsyncedNames.filter((change) => !mine(change));
  }

  #fails(what: 'file' | 'folder'): boolean {
    if (this.#failing !== what) return false;
    this.#failing = undefined;
    return true;
  }

  #isReachable(path: string): boolean {
    const folder = dirname(path);
    return folder === '/' || (this.#syncedNames.has(folder) && this.#isReachable(folder));
  }

  #inodes(): Set<Inode> {
    return new Set([...this.names.values()].filter((entry) => entry instanceof Inode));
  }
}

function apply(names: Map<string, Entry>, { changes }: NameChange): void {
  for (const { path, entry } of changes) {
    if (entry === undefined) names.delete(path);
    else names.set(path, entry);
  }
}

/** Reads nothing beyond the end. */
function copyFrom(source: Buffer, into: Uint8Array, from: number, at: number): number {
  return source.subarray(at).copy(into, from);
}

function ioError(): Error {
  return Object.assign(new Error('EIO: input/output error'), { code: 'EIO' });
}

/** One process's access to the disk: the file system ports of both rooms. */
export class DiskProcess implements Files, DiskCalls {
  readonly #disk: PowerDisk;
  readonly #onDeath: () => void;
  readonly #open = new Map<number, Inode>();
  #lastFd = 2;
  #alive = true;
  #changesLeft = Infinity;

  constructor(disk: PowerDisk, onDeath: () => void) {
    this.#disk = disk;
    this.#onDeath = onDeath;
  }

  end(): void {
    this.#alive = false;
  }

  /** Has the process die after this many more changes. */
  dieAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  // ---- the splitter's port ----

  exists(path: string): boolean {
    this.#assertAlive();
    return this.#disk.names.has(path);
  }

  open(path: string): number {
    this.#assertAlive();
    return this.#describe(this.#disk.inode(path));
  }

  make(path: string): number {
    this.#beforeChange();
    const inode = new Inode();
    this.#disk.changeNames(dirname(path), { path, entry: inode });
    return this.#describe(inode);
  }

  close(fd: number): void {
    this.#open.delete(fd);
  }

  size(fd: number): FileSize;
  size(path: string): number | undefined;
  size(which: number | string): FileSize | number | undefined {
    this.#assertAlive();
    if (typeof which === 'number') return { bytes: this.#of(which).cache.length, isHole: false };
    const entry = this.#disk.names.get(which);
    return entry instanceof Inode ? entry.cache.length : undefined;
  }

  truncate(which: number | string, bytes: number): void {
    this.#beforeChange();
    this.#of(which).truncate(bytes);
  }

  readNow(fd: number, data: Uint8Array, from: number, at: number): number {
    this.#assertAlive();
    return copyFrom(this.#of(fd).cache, data, from, at);
  }

  writeNow(fd: number, data: Uint8Array, from: number, at: number): number {
    this.#beforeChange();
    this.#of(fd).write(at, data.subarray(from), this.#disk.skipsEqualBytes);
    return data.length - from;
  }

  async writeLater(fd: number, data: Uint8Array, from: number, at: number): Promise<number> {
    await this.#turns(1);
    // Written in two parts: a kill between them leaves some sectors.
    const half = Math.floor((data.length - from) / 2 / SECTOR_BYTES) * SECTOR_BYTES;
    if (half === 0) return this.writeNow(fd, data, from, at);
    this.writeNow(fd, data.subarray(0, from + half), from, at);
    await this.#turns(1);
    return half + this.writeNow(fd, data, from + half, at + half);
  }

  async syncFolder(folder: string): Promise<void> {
    this.#beforeChange();
    const { nameChanges } = this.#disk;
    await this.#turns(this.#disk.chance.below(SYNC_TURNS_MAX));
    this.#disk.syncFolder(folder, nameChanges);
  }

  // ---- the journal's port ----

  makeDirectory(directory: string): void {
    if (this.#disk.names.has(directory)) return;
    this.#beforeChange();
    this.#disk.changeNames(dirname(directory), { path: directory, entry: FOLDER });
  }

  list(directory: string): readonly string[] | undefined {
    this.#assertAlive();
    if (!this.#disk.names.has(directory)) return undefined;
    return [...this.#disk.names.keys()]
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1));
  }

  read(path: string, into: Uint8Array, at: number): number {
    this.#assertAlive();
    return copyFrom(this.#disk.inode(path).cache, into, 0, at);
  }

  write(path: string, parts: readonly Uint8Array[], at: number): void {
    this.#beforeChange();
    if (!this.#disk.names.has(path)) this.#disk.changeNames(dirname(path), { path, entry: new Inode() });
    this.#disk.inode(path).write(at, Buffer.concat(parts), this.#disk.skipsEqualBytes);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.syncFolder(directory);
  }

  release(): void {
    this.#assertAlive();
  }

  // ---- both ----

  async readLater(which: number | string, into: Uint8Array, second: number, third?: number): Promise<number> {
    await this.#turns(1);
    const [from, at] = third === undefined ? [0, second] : [second, third];
    return copyFrom(this.#of(which).cache, into, from, at);
  }

  rename(from: string, to: string): void {
    this.#beforeChange();
    const inode = this.#disk.inode(from);
    this.#disk.changeNames(dirname(to), { path: to, entry: inode }, { path: from, entry: undefined });
  }

  remove(path: string): void {
    this.#beforeChange();
    if (this.#disk.names.has(path)) this.#disk.changeNames(dirname(path), { path, entry: undefined });
  }

  async datasync(which: number | string): Promise<void> {
    this.#beforeChange();
    const inode = this.#of(which);
    const { changes } = inode;
    await this.#turns(this.#disk.chance.below(SYNC_TURNS_MAX));
    this.#disk.syncFile(inode, changes);
  }

  #describe(inode: Inode): number {
    this.#lastFd += 1;
    this.#open.set(this.#lastFd, inode);
    return this.#lastFd;
  }

  #of(which: number | string): Inode {
    this.#assertAlive();
    if (typeof which === 'string') return this.#disk.inode(which);
    const inode = this.#open.get(which);
    if (inode === undefined) throw new Error(`EBADF: ${which}`);
    return inode;
  }

  async #turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await nextTurn();
    this.#assertAlive();
  }

  #beforeChange(): void {
    this.#assertAlive();
    this.#changesLeft -= 1;
    if (this.#changesLeft >= 0) return;
    this.#alive = false;
    this.#onDeath();
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (!this.#alive) throw new ProcessGone('the process is gone');
  }
}
