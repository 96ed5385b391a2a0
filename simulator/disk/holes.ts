// Holes of files: finds them and makes them. Node has no call for either, so these go to the C
// library, through koffi. Where that can't be, on another system than 64-bit Linux or without
// koffi's binary, every byte counts as data and no hole is made: nothing is freed then.
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import type * as Koffi from 'koffi';

/** `whence` of lseek. Source: Linux, include/uapi/linux/fs.h. */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** Modes of fallocate. Source: Linux, include/uapi/linux/falloc.h. */
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
/** Why a call failed. Source: Linux, include/uapi/asm-generic/errno.h. */
const ENXIO = 6;
const UNSUPPORTED: readonly number[] = [22, 38, 95];

/** Processors whose C library takes 64-bit offsets by default. */
const WIDE: readonly string[] = ['x64', 'arm64', 'ppc64', 'riscv64', 's390x', 'loong64'];

/** A part of a file. */
export interface Allocated {
  readonly length: number;
  /** Whether nothing is stored there: it reads as zeroes. */
  readonly isHole: boolean;
}

/** The calls on the holes of open files. */
export interface HoleCalls {
  /** Whether this system has the calls. The file system may still refuse to make holes. */
  readonly isKnown: boolean;
  /**
   * The part of the file that begins at `at`, no longer than `length`. A part may be less than the
   * hole, or than the data, that is there.
   * @throws the system's error
   */
  partAt(fd: number, at: number, length: number): Promise<Allocated>;
  /** Like `partAt`, on the main thread: a fiftieth of the cost, where the disk is quick. */
  partNow(fd: number, at: number, length: number): Allocated;
  /**
   * Makes the range a hole, so that it reads as zeroes and its room is freed.
   * @returns false if the file system can't: nothing has changed then
   * @throws the system's error; the range may be a hole in part
   */
  punch(fd: number, offset: number, length: number): Promise<boolean>;
  /** Like `punch`, on the main thread: for short ranges. */
  punchNow(fd: number, offset: number, length: number): boolean;
}

type Call = (...words: readonly number[]) => number;

interface Library {
  readonly lseek: Call;
  readonly fallocate: Call;
  /** Runs a call off the main thread. */
  later(call: 'lseek' | 'fallocate', ...words: readonly number[]): Promise<number>;
  /** The number of the last failure of a call on the main thread. */
  errno(): number;
}

class SystemHoles implements HoleCalls {
  #loaded: Library | 'none' | undefined;

  get isKnown(): boolean {
    return this.#library() !== undefined;
  }

  async partAt(fd: number, at: number, length: number): Promise<Allocated> {
    const library = this.#library();
    if (library === undefined) return { length, isHole: false };
    const hole = await library.later('lseek', fd, at, SEEK_HOLE);
    // Every file ends in a hole: a failure here is one of the file system.
    if (hole === -1) return { length, isHole: false };
    if (hole > at) return { length: Math.min(length, hole - at), isHole: false };
    let data = await library.later('lseek', fd, at, SEEK_DATA);
    if (data === -1) data = dataAfter(library, fd, at);
    return data > at ? { length: Math.min(length, data - at), isHole: true } : { length, isHole: false };
  }

  partNow(fd: number, at: number, length: number): Allocated {
    const library = this.#library();
    if (library === undefined) return { length, isHole: false };
    const hole = library.lseek(fd, at, SEEK_HOLE);
    if (hole === -1) return { length, isHole: false };
    if (hole > at) return { length: Math.min(length, hole - at), isHole: false };
    const data = dataAfter(library, fd, at);
    return data > at ? { length: Math.min(length, data - at), isHole: true } : { length, isHole: false };
  }

  async punch(fd: number, offset: number, length: number): Promise<boolean> {
    const library = this.#library();
    if (library === undefined) return false;
    if ((await library.later('fallocate', fd, PUNCH_HOLE + KEEP_SIZE, offset, length)) === 0) return true;
    // Only a call on the main thread tells why it failed.
    return this.punchNow(fd, offset, length);
  }

  punchNow(fd: number, offset: number, length: number): boolean {
    const library = this.#library();
    if (library === undefined) return false;
    if (library.fallocate(fd, PUNCH_HOLE + KEEP_SIZE, offset, length) === 0) return true;
    const errno = library.errno();
    if (UNSUPPORTED.includes(errno)) return false;
    throw systemError('fallocate', errno);
  }

  /** Loads the library at the first use: most processes never need it. */
  #library(): Library | undefined {
    this.#loaded ??= load() ?? 'none';
    return this.#loaded === 'none' ? undefined : this.#loaded;
  }
}

/**
 * Where data begins after `at`; infinity if nothing but a hole follows.
 * @throws the system's error
 */
function dataAfter(library: Library, fd: number, at: number): number {
  const data = library.lseek(fd, at, SEEK_DATA);
  if (data !== -1) return data;
  const errno = library.errno();
  if (errno === ENXIO) return Number.POSITIVE_INFINITY;
  throw systemError('lseek', errno);
}

/** Loads koffi, which has a binary for most systems; undefined on the others. */
function loadKoffi(): typeof Koffi | undefined {
  const require: (name: 'koffi') => typeof Koffi = createRequire(import.meta.url);
  try {
    return require('koffi');
  } catch {
    return undefined;
  }
}

function load(): Library | undefined {
  if (process.platform !== 'linux' || !WIDE.includes(process.arch)) return undefined;
  const koffi = loadKoffi();
  if (koffi === undefined) return undefined;
  const library = koffi.load(null);
  const lseek = library.func('int64_t lseek(int fd, int64_t offset, int whence)');
  const fallocate = library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  return {
    lseek: (...words) => Number(lseek(...words)),
    fallocate: (...words) => Number(fallocate(...words)),
    later: (name, ...words) =>
      new Promise((resolve, reject) => {
        const call = name === 'lseek' ? lseek : fallocate;
        call.async(...words, (error: Error | null, result: number | bigint) => {
          if (error === null) resolve(Number(result));
          else reject(error);
        });
      }),
    errno: () => koffi.errno(),
  };
}

function systemError(call: string, errno: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${call}`), { code, errno: -errno, syscall: call });
}

/** The real calls. */
export const systemHoles: HoleCalls = new SystemHoles();
