// Maps of disks and recovery points through the clients that people use: which blocks are holes,
// and which differ from an earlier point, so that a copy or a backup reads those alone.
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import type { PointId } from '../../contracts/ids.js';
import { succeed } from '../support/tools.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { DISK, GOLD, MIB, OutsideEstate, SIZE_MIB } from './outside-estate.js';

const SIZE_BYTES = SIZE_MIB * MIB;
/** Bytes of one of `stat`'s blocks. */
const SECTOR_BYTES = 512;
/** Debian's Python: others lack its libnbd. */
const PYTHON = '/usr/bin/python3';

const nbdinfoMap = z.array(
  z.object({ offset: z.number(), length: z.number(), type: z.number(), description: z.string().optional() }),
);
const qemuMap = z.array(z.object({ start: z.number(), length: z.number(), zero: z.boolean(), data: z.boolean() }));

let outside: OutsideEstate;
/** The state of the disk at the first point, and at the second. */
const [before, after] = [Buffer.alloc(SIZE_BYTES), Buffer.alloc(SIZE_BYTES)];
let first: PointId;
let second: PointId;

async function point(): Promise<PointId> {
  await outside.estate.quiet(DISK);
  const { id } = await until('a point with the disk', PATIENCE_MS, async () => {
    const closed = await outside.estate.appliance('appliance-1').calls.closePoint({ group: GOLD });
    return closed.members.some(({ volume }) => volume === DISK) ? closed : undefined;
  });
  return id;
}

beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'));
  const uri = await outside.sourceUri(DISK);
  const io = async (...commands: readonly string[]): Promise<string> =>
    succeed('qemu-io', '-d', 'unmap', '-f', 'raw', ...commands.flatMap((each) => ['-c', each]), uri);
  await io('write -P 0x11 1M 2M', 'write -P 0x12 8M 1M');
  before.fill(0x11, MIB, 3 * MIB).fill(0x12, 8 * MIB, 9 * MIB);
  first = await point();
  await io('write -P 0x22 2M 64k', 'write -P 0x23 20M 1M', 'discard 8M 512k');
  before.copy(after);
  after
    .fill(0x22, 2 * MIB, 2 * MIB + 65_536)
    .fill(0x23, 20 * MIB, 21 * MIB)
    .fill(0, 8 * MIB, 8.5 * MIB);
  second = await point();
  await io('write -P 0x33 30M 1M');
});
afterAll(async () => outside.stop());

/** The ranges of a map that have a type, as "offset+length" in KiB, joined. */
function rangesOf(map: z.infer<typeof nbdinfoMap>, isIn: (type: number) => boolean): readonly string[] {
  const ranges: { start: number; end: number }[] = [];
  for (const { offset, length, type } of map) {
    if (!isIn(type)) continue;
    const last = ranges.at(-1);
    if (last?.end === offset) last.end += length;
    else ranges.push({ start: offset, end: offset + length });
  }
  return ranges.map(({ start, end }) => `${start / 1024}+${(end - start) / 1024}`);
}

async function mapOf(uri: string, context: string): Promise<z.infer<typeof nbdinfoMap>> {
  return nbdinfoMap.parse(JSON.parse(await succeed('nbdinfo', `--map=${context}`, '--json', uri)));
}

test('nbdinfo maps the holes of a disk and of a point, and lists what else it may ask for', async () => {
  const disk = await mapOf(await outside.sourceUri(DISK), 'base:allocation');
  expect(rangesOf(disk, (type) => type === 0)).toEqual(['1024+2048', '8704+512', '20480+1024', '30720+1024']);
  const image = await mapOf(await outside.imageUri(DISK, first), 'base:allocation');
  expect(rangesOf(image, (type) => type === 0)).toEqual(['1024+2048', '8192+1024']);
  const info = await succeed('nbdinfo', await outside.imageUri(DISK, second));
  expect(info).toContain('base:allocation');
  expect(info).toContain(`volume-mover:changed-since/${first}`);
  expect(info).toMatch(/can_df: true/);
});

test('nbdinfo maps what differs between two points, and nothing that came later', async () => {
  const changed = await mapOf(await outside.imageUri(DISK, second), `volume-mover:changed-since/${first}`);
  expect(rangesOf(changed, (type) => type === 1)).toEqual(['2048+64', '8192+512', '20480+1024']);
});

test('qemu-img maps a disk and converts a point, holes left out', async () => {
  const map = qemuMap.parse(
    JSON.parse(await succeed('qemu-img', 'map', '-f', 'raw', '--output=json', await outside.imageUri(DISK, first))),
  );
  const data = map.filter(({ zero }) => !zero).map(({ start, length }) => `${start / MIB}+${length / MIB}`);
  expect(data).toEqual(['1+2', '8+1']);
  const copy = outside.scratch('converted.img');
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', await outside.imageUri(DISK, second), copy);
  expect((await readFile(copy)).equals(after)).toBe(true);
  expect(statSync(copy).blocks * SECTOR_BYTES).toBeLessThanOrEqual(5 * MIB);
});

test('nbdcopy reads what is stored and skips the holes', async () => {
  const copy = outside.scratch('copied.img');
  await succeed('nbdcopy', await outside.imageUri(DISK, second), copy);
  expect((await readFile(copy)).equals(after)).toBe(true);
  expect(statSync(copy).blocks * SECTOR_BYTES).toBeLessThanOrEqual(5 * MIB);
});

test('libnbd in Python takes an increment: the first point, with the changed blocks, is the second', async () => {
  const script = outside.scratch('increment.py');
  const target = outside.scratch('backup.img');
  await writeFile(target, before);
  await writeFile(
    script,
    `
import sys, nbd
uri, context, target = sys.argv[1:]
h = nbd.NBD()
h.add_meta_context(context)
h.connect_uri(uri)
assert h.can_meta_context(context)
size, read = h.get_size(), 0
extents = []
def on_extents(name, offset, entries, error):
    at = offset
    for length, flags in zip(entries[0::2], entries[1::2]):
        extents.append((at, length, flags))
        at += length
at = 0
while at < size:
    extents.clear()
    h.block_status(size - at, at, on_extents)
    with open(target, 'r+b') as backup:
        for offset, length, flags in extents:
            if flags & 1:
                backup.seek(offset)
                backup.write(h.pread(length, offset))
                read += length
    at = extents[-1][0] + extents[-1][1]
print(read)
h.shutdown()
`,
  );
  const uri = await outside.imageUri(DISK, second);
  const read = await succeed(PYTHON, '-I', script, uri, `volume-mover:changed-since/${first}`, target);
  expect((await readFile(target)).equals(after)).toBe(true);
  expect(Number(read)).toBe(65_536 + MIB / 2 + MIB);
});

test('random writes between two points are all in the map', async () => {
  const uri = await outside.sourceUri(DISK);
  const from = await point();
  const copy = outside.scratch('from.img');
  await succeed('nbdcopy', await outside.imageUri(DISK, from), copy);
  const bytes = randomBytes(64);
  for (let n = 0; n < 16; n += 1) {
    const block = bytes.readUInt32LE(n * 4) % (SIZE_BYTES / 4096);
    await succeed('qemu-io', '-f', 'raw', '-c', `write -P ${n + 1} ${block * 4096} 4096`, uri);
  }
  const to = await point();
  const [old, now] = [await readFile(copy), outside.scratch('to.img')];
  await succeed('nbdcopy', await outside.imageUri(DISK, to), now);
  const content = await readFile(now);
  for (const { offset, length, type } of await mapOf(
    await outside.imageUri(DISK, to),
    `volume-mover:changed-since/${from}`,
  ))
    if (type === 1) content.copy(old, offset, offset, offset + length);
  expect(old.equals(content)).toBe(true);
});
