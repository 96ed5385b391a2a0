// Image access through the disk clients that people use, on an estate whose guests write all the
// while.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { ListedAccess } from '../../client/images/accesses.js';
import type { PointId } from '../../contracts/ids.js';
import { runTool, succeed } from '../support/tools.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { DISK, GOLD, GOLD_NEIGHBOUR, MIB, OutsideEstate, SIZE_MIB } from './outside-estate.js';

let outside: OutsideEstate;
/** A point of the group after the disk was filled. */
let point: PointId;
const content = randomBytes(SIZE_MIB * MIB);

beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'));
  const source = outside.scratch('source.img');
  await writeFile(source, content);
  await succeed('nbdcopy', '--flush', source, await outside.sourceUri(DISK));
  await outside.estate.quiet(DISK);
  ({ id: point } = await until('a point with both volumes', PATIENCE_MS, async () => {
    const closed = await outside.estate.appliance('appliance-1').calls.closePoint({ group: GOLD });
    return closed.members.length === 2 ? closed : undefined;
  }));
});
afterAll(async () => outside.stop());

function uriIn(access: ListedAccess, volume: string): string {
  const uri = access.exports.find((each) => each.volume === volume)?.uri;
  if (uri === undefined) throw new Error(`No disk of ${volume} is open.`);
  return uri;
}

const open = async (writable: boolean): Promise<ListedAccess> =>
  outside.estate.client.images.open({ group: GOLD, point, writable });

test('a file system is made, filled and checked on a writable access, and is gone when it closes', async () => {
  const access = await open(true);
  const uri = uriIn(access, DISK);
  const [made, back] = [outside.scratch('made.img'), outside.scratch('back.img')];
  await writeFile(made, Buffer.alloc(SIZE_MIB * MIB));
  await succeed('mkfs.ext4', '-q', '-F', made);
  await writeFile(outside.scratch('letter'), 'Dear reader, this is a drill.\n');
  await succeed('debugfs', '-w', '-R', `write ${outside.scratch('letter')} letter`, made);
  await succeed('nbdcopy', '--flush', made, uri);
  await succeed('nbdcopy', uri, back);
  await succeed('e2fsck', '-fn', back);
  expect(await succeed('debugfs', '-R', 'cat /letter', back)).toContain('this is a drill');
  // The other disk of the group is as it was, and can be written on its own.
  expect(await succeed('qemu-io', '-f', 'raw', '-c', 'write -P 0x5a 4k 8k', uriIn(access, GOLD_NEIGHBOUR))).toMatch(
    /wrote 8192/,
  );

  await outside.estate.client.images.close(access.id);
  expect((await runTool('nbdinfo', uri)).exitCode).not.toBe(0);
  const again = await open(true);
  const fresh = outside.scratch('fresh.img');
  await succeed('nbdcopy', uriIn(again, DISK), fresh);
  expect((await readFile(fresh)).equals(content)).toBe(true);
  await outside.estate.client.images.close(again.id);
  await outside.expectReplicaEqual(DISK);
});

test('what one connection of qemu-io writes, zeroes and discards, the next one reads', async () => {
  const access = await open(true);
  const io = async (...commands: readonly string[]): Promise<string> =>
    succeed('qemu-io', '-d', 'unmap', '-f', 'raw', ...commands.flatMap((each) => ['-c', each]), uriIn(access, DISK));
  await io(
    'write -P 0x5a 1M 256k',
    'write -f -P 0xa5 2M 4k',
    'write -P 0x77 3000k 1536',
    'write -z 1M 64k',
    'discard 2052k 4k',
    'flush',
  );
  const read = await io('read -P 0 1M 64k', 'read -P 0x5a 1088k 192k', 'read -P 0xa5 2M 4k', 'read -P 0x77 3000k 1536');
  expect(read).not.toMatch(/failed|error/i);
  expect(await succeed('nbdinfo', '--json', uriIn(access, DISK))).toMatch(/"is_read_only": false/);
  await outside.estate.client.images.close(access.id);
});

test('a read-only access is the point, byte for byte, whatever the guests write, and takes no write', async () => {
  const access = await open(false);
  await succeed('qemu-io', '-f', 'raw', '-c', 'write -P 0x11 0 1M', await outside.sourceUri(DISK));
  await outside.estate.quiet(DISK);
  const copy = outside.scratch('copy.img');
  await succeed('nbdcopy', uriIn(access, DISK), copy);
  expect((await readFile(copy)).equals(content)).toBe(true);
  expect(await succeed('nbdinfo', '--json', uriIn(access, DISK))).toMatch(/"is_read_only": true/);
  expect((await runTool('qemu-io', '-f', 'raw', '-c', 'write 0 4k', uriIn(access, DISK))).exitCode).not.toBe(0);
  await outside.estate.client.images.close(access.id);
});

test('a "+rw" export takes writes of one connection, and the next finds nothing of them', async () => {
  const uri = await outside.imageUri(DISK, `${point}+rw`);
  const both = ['-c', 'write -P 0x5a 0 4k', '-c', 'read -P 0x5a 0 4k'];
  expect(await succeed('qemu-io', '-f', 'raw', ...both, uri)).not.toMatch(/failed|error/i);
  const copy = outside.scratch('rw.img');
  await succeed('nbdcopy', uri, copy);
  expect((await readFile(copy)).equals(content)).toBe(true);
});
