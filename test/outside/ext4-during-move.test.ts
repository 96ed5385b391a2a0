// A file system that is written while its volume moves, made and checked by e2fsprogs.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MoveReport } from '../../contracts/move.js';
import { GUEST_BLOCK_BYTES } from '../../estate/guest/block.js';
import { connectNbd } from '../../nbd/client.js';
import { succeed } from '../support/tools.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { DISK, MIB, OutsideEstate, SILVER, SIZE_MIB } from './outside-estate.js';

let outside: OutsideEstate;
beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'));
});
afterAll(async () => outside.stop());

describe('an ext4 file system that is written during a move', () => {
  /** Bytes of a file system's block, so that a guest's write is one of them. */
  const FS_BLOCK_BYTES = GUEST_BLOCK_BYTES;
  const DATABASE_BLOCKS = 512;
  let report: MoveReport;

  test('is made, copied onto the volume, given more files, and written in place while the volume moves', async () => {
    const image = outside.scratch('fs.img');
    await makeFileSystem(image);
    await succeed('nbdcopy', '--flush', image, await outside.sourceUri(DISK));
    await addFile('before', randomBytes(100_000));
    const blocks = await blocksOf('/database');
    expect(blocks).toHaveLength(DATABASE_BLOCKS);

    const writer = new InPlaceWriter(blocks);
    const writing = writer.run();
    await untilTrue('the first write to the database', PATIENCE_MS, async () => writer.written > 50);
    report = await Promise.race([
      outside.estate.move({ volume: DISK, to: SILVER }),
      writing.then(() => Promise.reject(new Error('The writer ended.'))),
    ]);
    const during = writer.written;
    await untilTrue('writes after the move', PATIENCE_MS, async () => writer.written > during + 50);
    writer.stopping = true;
    await writing;
    await addFile('after', randomBytes(200_000));
    await outside.expectReplicaEqual(DISK);
  });

  test.each(['left', 'joined'] as const)(
    'is clean on the recovery point "%s", with every file of that time',
    async (name) => {
      const recovered = outside.scratch(`${name}.img`);
      await succeed('nbdcopy', await outside.imageUri(DISK, report.bookmarks[name].point), recovered);
      await expectClean(recovered);
      expect(await namesIn(recovered)).toEqual(expect.arrayContaining(['database', 'letters', 'before']));
      expect(await namesIn(recovered)).not.toContain('after');
      await expectSameFile(recovered, 'letters', await readFile(outside.scratch('root/letters')));
      await expectSameFile(recovered, 'before', await readFile(outside.scratch('before')));
      // It was being written when the point was taken: its blocks are of the writer's, not what it
      // was made with.
      const database = await contentOf(recovered, 'database');
      expect(database.equals(await readFile(outside.scratch('root/database')))).toBe(false);
    },
  );

  test('is clean on a point taken after the move in the new group, with the newest file', async () => {
    const point = await until('a point of the new group with the newest file', PATIENCE_MS, async () => {
      const closed = await outside.estate.appliance('appliance-2').calls.closePoint({ group: SILVER });
      return closed.members.some(({ volume }) => volume === DISK) ? closed : undefined;
    });
    const recovered = outside.scratch('later.img');
    await succeed('nbdcopy', await outside.imageUri(DISK, point.id), recovered);
    await expectClean(recovered);
    await expectSameFile(recovered, 'after', await readFile(outside.scratch('after')));
  });

  async function makeFileSystem(image: string): Promise<void> {
    const root = outside.scratch('root');
    await mkdir(root, { recursive: true });
    await writeFile(join(root, 'letters'), 'Dear reader, nothing was lost.\n'.repeat(1_000));
    await writeFile(join(root, 'database'), randomBytes(DATABASE_BLOCKS * FS_BLOCK_BYTES));
    await writeFile(image, '');
    await truncate(image, SIZE_MIB * MIB);
    await succeed('mkfs.ext4', '-q', '-F', '-b', `${FS_BLOCK_BYTES}`, '-d', root, image);
    await expectClean(image);
  }

  /** Adds a file as a host without the file system mounted does: out, debugfs, in again. */
  async function addFile(name: string, content: Buffer): Promise<void> {
    const image = outside.scratch('working.img');
    await writeFile(outside.scratch(name), content);
    await succeed('nbdcopy', await outside.sourceUri(DISK), image);
    await succeed('debugfs', '-w', '-R', `write ${outside.scratch(name)} ${name}`, image);
    await expectClean(image);
    await succeed('nbdcopy', '--flush', image, await outside.sourceUri(DISK));
  }

  async function blocksOf(path: string): Promise<number[]> {
    const output = await succeed('debugfs', '-R', `blocks ${path}`, outside.scratch('working.img'));
    return [...output.replace(/^debugfs .*$/m, '').matchAll(/\d+/g)].map(([block]) => Number(block));
  }

  async function expectClean(image: string): Promise<void> {
    await succeed('e2fsck', '-fn', image);
  }

  async function namesIn(image: string): Promise<string[]> {
    const output = await succeed('debugfs', '-R', 'ls -p /', image);
    return [...output.matchAll(/^\/\d+\/\d+\/\d+\/\d+\/([^/]+)\//gm)].map(([, name = '']) => name);
  }

  async function contentOf(image: string, name: string): Promise<Buffer> {
    const target = `${image}.${name}`;
    await succeed('debugfs', '-R', `dump /${name} ${target}`, image);
    return await readFile(target);
  }

  async function expectSameFile(image: string, name: string, content: Buffer): Promise<void> {
    expect((await contentOf(image, name)).equals(content), name).toBe(true);
  }

  /**
   * Writes over the blocks of a file, as a database does: the file system's own blocks stay as they
   * are.
   */
  class InPlaceWriter {
    readonly #blocks: readonly number[];
    written = 0;
    stopping = false;

    constructor(blocks: readonly number[]) {
      this.#blocks = blocks;
    }

    async run(): Promise<void> {
      const { address, name } = await outside.estate.source(DISK);
      const disk = await connectNbd(address, name);
      while (!this.stopping) {
        const block = this.#blocks[this.written % this.#blocks.length] ?? 0;
        await disk.write(block * FS_BLOCK_BYTES, randomBytes(FS_BLOCK_BYTES));
        this.written += 1;
      }
      await disk.disconnect();
    }
  }
});
