// Virtual volumes and replica volumes, seen through the disk clients that people use: libnbd's
// tools and qemu's.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { runTool, succeed } from '../support/tools.js';
import { DISK, GOLD_NEIGHBOUR, MIB, OutsideEstate, SILVER_NEIGHBOUR, SIZE_MIB } from './outside-estate.js';

let outside: OutsideEstate;
beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'));
});
afterAll(async () => outside.stop());

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(z.instanceof(Buffer).parse(chunk));
  return hash.digest('hex');
}

describe('nbdinfo', () => {
  const listSchema = z.object({ exports: z.array(z.object({ 'export-name': z.string(), 'export-size': z.number() })) });

  test('shows a virtual volume as a writable disk with flush, FUA, trim and zeroes', async () => {
    expect(JSON.parse(await succeed('nbdinfo', '--json', await outside.sourceUri(DISK)))).toMatchObject({
      protocol: 'newstyle-fixed',
      exports: [
        {
          'export-name': DISK,
          'export-size': SIZE_MIB * MIB,
          is_read_only: false,
          can_flush: true,
          can_fua: true,
          can_trim: true,
          can_zero: true,
        },
      ],
    });
  });

  test('lists the virtual volumes of a splitter', async () => {
    const listed = listSchema.parse(
      JSON.parse(await succeed('nbdinfo', '--list', '--json', await outside.sourceUri(''))),
    );
    expect(listed.exports.map((each) => each['export-name']).toSorted()).toEqual(
      [DISK, GOLD_NEIGHBOUR, SILVER_NEIGHBOUR].toSorted(),
    );
  });

  test('shows a replica volume as a read-only disk, and lists those of an appliance', async () => {
    expect(JSON.parse(await succeed('nbdinfo', '--json', await outside.imageUri(DISK)))).toMatchObject({
      exports: [{ 'export-name': `${DISK}@latest`, 'export-size': SIZE_MIB * MIB, is_read_only: true }],
    });
    const { nbd } = await outside.estate.process('appliance-1').waitReady();
    const listed = listSchema.parse(
      JSON.parse(await succeed('nbdinfo', '--list', '--json', `nbd://${nbd?.host}:${nbd?.port}`)),
    );
    const here = [DISK, GOLD_NEIGHBOUR].map((volume) => `${volume}@latest`);
    expect(listed.exports.map((each) => each['export-name'])).toEqual(expect.arrayContaining(here));
  });

  test('is told that a volume or a point is unknown', async () => {
    for (const uri of [
      await outside.sourceUri('missing'),
      await outside.imageUri('missing'),
      await outside.imageUri(DISK, 'p999999999'),
    ]) {
      const { exitCode, output } = await runTool('nbdinfo', uri);
      expect(exitCode, uri).not.toBe(0);
      expect(output).toMatch(/export|No such file/i);
    }
  });
});

test('nbdcopy copies a disk in and out again, and the replica becomes the same', async () => {
  const content = randomBytes(SIZE_MIB * MIB);
  content.fill(0, 5 * MIB, 9 * MIB);
  const [source, target, replica] = [
    outside.scratch('in.img'),
    outside.scratch('out.img'),
    outside.scratch('replica.img'),
  ];
  await writeFile(source, content);
  await succeed('nbdcopy', '--flush', source, await outside.sourceUri(DISK));
  await succeed('nbdcopy', await outside.sourceUri(DISK), target);
  expect(await digestOf(target)).toBe(await digestOf(source));
  await outside.estate.quiet(DISK);
  await succeed('nbdcopy', await outside.imageUri(DISK), replica);
  expect(await digestOf(replica)).toBe(await digestOf(source));
});

test('what qemu-io writes, zeroes and discards is on the replica', async () => {
  const writes = [
    'write -P 0x5a 1M 256k',
    'write -f -P 0xa5 2M 4k',
    'write -P 0x77 3000k 1536',
    'write -z 1M 64k',
    'discard 2052k 4k',
    'flush',
  ];
  const reads = ['read -P 0 1M 64k', 'read -P 0x5a 1088k 192k', 'read -P 0xa5 2M 4k', 'read -P 0x77 3000k 1536'];
  const io = async (uri: string, commands: readonly string[], ...options: readonly string[]): Promise<string> =>
    succeed('qemu-io', ...options, '-d', 'unmap', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri);
  expect(await io(await outside.sourceUri(DISK), [...writes, ...reads])).not.toMatch(/failed|error/i);
  await outside.expectReplicaEqual(DISK);
  expect(await io(await outside.imageUri(DISK), reads, '-r')).not.toMatch(/failed|error/i);
});
