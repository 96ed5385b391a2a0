// An ext4 file system that grows step by step: each step is made by debugfs on a working copy, and
// is what changed there, block by block.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../support/tools.js';
import { FS_BLOCK_BYTES } from './jbd2-journal.js';

/** Largest file, bytes: a transaction is some twenty blocks. */
const FILE_BYTES_MAX = 60_000;
/** Files that steps made and that are kept; the oldest is removed. */
const FILES_KEPT = 20;
/** Inodes: as many as are used, and room, since the disk is small. */
const INODES = 256;
const LINE = 'a line of the log, as long as lines of logs are, with the number of its step: ';
const LOG = 'log';

/** The hash of a file's content, by file. */
type Content = Readonly<Record<string, string>>;

export class GrowingFileSystem {
  readonly #folder: string;
  #image: Buffer;
  #log = '';
  #files: ReadonlyMap<string, string> = new Map();
  readonly #contents: Content[] = [];

  private constructor(folder: string, image: Buffer) {
    this.#folder = folder;
    this.#image = image;
  }

  static async make(folder: string, sizeMiB: number): Promise<GrowingFileSystem> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'working.img');
    await writeFile(path, '');
    await truncate(path, sizeMiB * 1024 * 1024);
    // Without checksums of metadata the journal has none either.
    const features = '^metadata_csum,^64bit,^resize_inode';
    await succeed(
      'mkfs.ext4',
      '-q',
      '-F',
      '-b',
      `${FS_BLOCK_BYTES}`,
      '-O',
      features,
      '-J',
      'size=4',
      '-N',
      `${INODES}`,
      path,
    );
    const made = new GrowingFileSystem(folder, await readFile(path));
    await made.step();
    return made;
  }

  /** The working copy: a file system at rest, after the newest step. */
  get path(): string {
    return join(this.#folder, 'working.img');
  }

  get block0(): Buffer {
    return this.#image.subarray(0, FS_BLOCK_BYTES);
  }

  /** Number of the newest step, from 0. */
  get newest(): number {
    return this.#contents.length - 1;
  }

  contentAt(step: number): Content {
    const content = this.#contents[step];
    if (content === undefined) throw new Error(`There was no step ${step}.`);
    return content;
  }

  /** A line more in the log, a new file, the oldest removed. @returns the blocks that changed */
  async step(): Promise<ReadonlyMap<number, Buffer>> {
    const step = this.#contents.length;
    this.#log += `${LINE}${step}\n`;
    const name = `step-${step}`;
    const data = randomBytes(1 + Math.floor(Math.random() * FILE_BYTES_MAX));
    await writeFile(join(this.#folder, 'new-log'), this.#log);
    await writeFile(join(this.#folder, 'new-file'), data);
    const files = new Map([...this.#files, [name, hashOf(data)]]);
    const [oldest = name] = files.keys();
    const commands = [
      ...(step === 0 ? [] : [`rm ${LOG}`]),
      ...(files.size > FILES_KEPT ? [`rm ${oldest}`] : []),
      `write ${join(this.#folder, 'new-log')} ${LOG}`,
      `write ${join(this.#folder, 'new-file')} ${name}`,
    ];
    if (files.size > FILES_KEPT) files.delete(oldest);
    await writeFile(join(this.#folder, 'commands'), `${commands.join('\n')}\n`);
    await succeed('debugfs', '-w', '-f', join(this.#folder, 'commands'), this.path);
    this.#files = files;
    this.#contents.push({ ...Object.fromEntries(files), [LOG]: hashOf(Buffer.from(this.#log)) });
    return await this.#changes();
  }

  /** Blocks of the journal, in its order. */
  async journalBlocks(): Promise<number[]> {
    const output = await succeed('debugfs', '-R', 'blocks <8>', this.path);
    return [...output.replace(/^debugfs .*$/m, '').matchAll(/\d+/g)].map(([block]) => Number(block));
  }

  async #changes(): Promise<ReadonlyMap<number, Buffer>> {
    const now = await readFile(this.path);
    const changed = new Map<number, Buffer>();
    for (let at = 0; at < now.length; at += FS_BLOCK_BYTES) {
      const data = now.subarray(at, at + FS_BLOCK_BYTES);
      if (!data.equals(this.#image.subarray(at, at + FS_BLOCK_BYTES))) changed.set(at / FS_BLOCK_BYTES, data);
    }
    this.#image = now;
    return changed;
  }
}

interface Recovered {
  /** The newest step that the file system holds, by its own log. */
  readonly step: number;
  readonly content: Content;
}

/**
 * Replays the journal of a copy of the disk, which changes the copy, and reads every file.
 * @param folder for what is read; made here
 * @throws AssertionError when the file system is not clean after the replay
 */
export async function recover(image: string, folder: string): Promise<Recovered> {
  await succeed('e2fsck', '-y', '-E', 'journal_only', image);
  await succeed('e2fsck', '-fn', image);
  await mkdir(folder, { recursive: true });
  await succeed('debugfs', '-R', `rdump / ${folder}`, image);
  const content: Record<string, string> = {};
  let step = Number.NaN;
  for (const name of await readdir(folder)) {
    if (name === 'lost+found') continue;
    const data = await readFile(join(folder, name));
    content[name] = hashOf(data);
    if (name === LOG) step = data.toString().trimEnd().split('\n').length - 1;
  }
  return { step, content };
}

function hashOf(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
