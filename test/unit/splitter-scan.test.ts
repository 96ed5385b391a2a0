// A scan's bounds: what it keeps, what it drops, and what it never does to the guest.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { volumeIdSchema } from '../../contracts/ids.js';
import { type DigestRun, VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import { DIGEST_BYTES, digestText } from '../../simulator/digest/region-digest.js';
import type { Allocated } from '../../simulator/disk/holes.js';
import { KEPT_BEHIND_REGIONS, ScanDigests } from '../../simulator/splitter/core/scan-digests.js';
import { VolumeScan } from '../../simulator/splitter/volume/volume-scan.js';
import { WriteGate } from '../../simulator/splitter/volume/write-gate.js';

const V1 = volumeIdSchema.parse('v1');
const MARK = { session: 1, n: 7 };

/** A source in memory that counts its readings. */
class Source {
  readonly bytes: Buffer;
  readings = 0;
  /** Regions that are holes. */
  readonly holes = new Set<number>();
  /** What happens while holes are looked for. */
  meanwhile: ((region: number) => void) | undefined;
  /** Regions that fail to be read. */
  readonly broken = new Set<number>();

  constructor(regions: number) {
    this.bytes = Buffer.alloc(regions * VERIFY_REGION_BYTES);
  }
  readNow(offset: number, length: number): Buffer {
    this.readings += 1;
    for (let at = offset; at < offset + length; at += VERIFY_REGION_BYTES)
      if (this.broken.has(Math.floor(at / VERIFY_REGION_BYTES))) throw new Error('EIO: i/o error, read');
    return Buffer.from(this.bytes.subarray(offset, offset + length));
  }
  async readInto(offset: number, data: Buffer): Promise<void> {
    this.readNow(offset, data.length).copy(data);
  }
  async partAt(offset: number, length: number): Promise<Allocated> {
    const isHoleAt = (at: number): boolean => this.holes.has(Math.floor(at / VERIFY_REGION_BYTES));
    let end = offset;
    while (end < offset + length && isHoleAt(end) === isHoleAt(offset)) end += VERIFY_REGION_BYTES;
    this.meanwhile?.(offset / VERIFY_REGION_BYTES);
    return { length: end - offset, isHole: isHoleAt(offset) };
  }
}

function scanOf(source: Source, digests?: ScanDigests): VolumeScan {
  const options = { volume: V1, sizeBytes: source.bytes.length, mark: MARK, atMs: 0, source };
  return new VolumeScan(digests === undefined ? options : { ...options, digests });
}

async function digestsFrom(scan: VolumeScan, from: number, count: number): Promise<DigestRun[]> {
  const { regions, digests } = await scan.read(from, count, count);
  expect(regions).toBe(count);
  return digests;
}

test('zero regions have the empty digest, others that of their bytes, and equal bytes equal ones', async () => {
  const source = new Source(3);
  source.bytes.fill(5, VERIFY_REGION_BYTES);
  const [first, second, third] = await digestsFrom(scanOf(source), 0, 3);
  expect(first).toBe('');
  expect(second).toMatch(/^[\w-]{22}$/);
  expect(third).toBe(second);
});

test('each scan has a key of its own, so equal bytes have other digests in another scan', async () => {
  const source = new Source(1);
  source.bytes.fill(5);
  const digests = [await digestsFrom(scanOf(source), 0, 1), await digestsFrom(scanOf(source), 0, 1)];
  expect(digests[0]).not.toEqual(digests[1]);
});

test('holes are counted and not read', async () => {
  const source = new Source(40);
  source.bytes.fill(5, 20 * VERIFY_REGION_BYTES, 21 * VERIFY_REGION_BYTES);
  for (let region = 0; region < 40; region += 1) if (region !== 20) source.holes.add(region);
  expect(await digestsFrom(scanOf(source), 0, 40)).toEqual([20, expect.stringMatching(/^[\w-]{22}$/), 19]);
  expect(source.readings).toBe(1);
});

test('a write into a hole leaves the digest of zeroes, also while the hole is being looked for', async () => {
  const source = new Source(8);
  for (let region = 0; region < 8; region += 1) source.holes.add(region);
  const scan = scanOf(source);
  const write = (region: number): void => {
    scan.beforeNow(region * VERIFY_REGION_BYTES, 1);
    source.bytes.fill(5, region * VERIFY_REGION_BYTES, region * VERIFY_REGION_BYTES + 1);
    source.holes.delete(region);
  };
  write(2);
  source.meanwhile = (region) => {
    if (region === 3) write(5);
  };
  expect(await digestsFrom(scan, 0, 8)).toEqual([2, '', 2, '', 2]);
});

test('an answer has as many digests as are wanted, and the next one goes on behind it', async () => {
  const source = new Source(50);
  source.bytes.fill(5);
  for (let region = 10; region < 30; region += 1) source.holes.add(region);
  const scan = scanOf(source);
  expect(await scan.read(0, 50, 11)).toMatchObject({ regions: 30, digests: { length: 11, 10: 20 } });
  expect(await scan.read(30, 20, 11)).toMatchObject({ regions: 11, digests: { length: 11 } });
});

test('only the first write to a region costs a digest, and none once the region was read', async () => {
  const source = new Source(4);
  const scan = scanOf(source);
  await digestsFrom(scan, 0, 1);
  const { readings } = source;
  scan.beforeNow(10, 20);
  expect(source.readings).toBe(readings);
  scan.beforeNow(VERIFY_REGION_BYTES, 1);
  scan.beforeNow(VERIFY_REGION_BYTES + 5, 1);
  expect(source.readings).toBe(readings + 1);
});

test('a region that can’t be read has no digest, hinders no write, and the others have theirs', async () => {
  const source = new Source(6);
  source.bytes.fill(5);
  const scan = scanOf(source);
  source.broken.add(0).add(2);
  expect(() => scan.beforeNow(0, 1)).not.toThrow();
  await scan.beforeLater(2 * VERIFY_REGION_BYTES, 1);
  source.broken.clear();
  // Their content at the mark stays unknown. The last one is not read before it is asked for.
  source.broken.add(5);
  const digests = await digestsFrom(scan, 0, 6);
  expect(digests.map((digest) => digest === null)).toEqual([true, false, true, false, false, true]);
  expect(scan.ended).toBeUndefined();
  source.broken.clear();
  expect(await digestsFrom(scan, 5, 1)).toEqual([null]);
});

test('a guest that changes more than digests are kept of ends the scan', async () => {
  const source = new Source(65);
  const scan = scanOf(source, new ScanDigests(65, 1));
  scan.beforeNow(0, 1);
  expect(scan.ended).toBeUndefined();
  scan.beforeNow(64 * VERIFY_REGION_BYTES, 1);
  await expect(scan.read(0, 1, 1)).rejects.toMatchObject({ code: 'SCAN_NOT_FOUND' });
});

test('digests far behind what was asked for are let go, and are not taken again', () => {
  const digests = new ScanDigests(KEPT_BEHIND_REGIONS * 2);
  digests.put(3, undefined);
  digests.put(100, undefined);
  digests.reached(KEPT_BEHIND_REGIONS + 64);
  expect(digests.floor).toBe(64);
  expect(digests.get(3)).toBeUndefined();
  expect(digests.needs(3)).toBe(false);
  expect(digests.get(100)).toBe('');
});

test('regions that are not the volume’s are refused', async () => {
  await expect(scanOf(new Source(2)).read(1, 2, 2)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('an instant at rest comes when the writes inside are done, and those that came meanwhile wait no longer', async () => {
  const gate = new WriteGate();
  const seen: string[] = [];
  expect(gate.enter()).toBeUndefined();
  const rest = gate.atRest(10_000, () => seen.push('rest'));
  const late = Promise.resolve(gate.enter()).then(() => seen.push('late'));
  await nextTurn();
  expect(seen).toEqual([]);
  gate.leave();
  await Promise.all([rest, late]);
  expect(seen).toEqual(['rest', 'late']);
});

test('a write that takes too long is not waited for: the others go on, and there is no instant', async () => {
  const gate = new WriteGate();
  void gate.enter();
  const rest = gate.atRest(20, () => 'rest');
  const late = gate.enter();
  await expect(rest).rejects.toMatchObject({ code: 'SCAN_BUSY' });
  await expect(late).resolves.toBeUndefined();
});

test('digests of neighbours are kept apart, the first one of a region stays, and each reads back as it was taken', () => {
  const digests = new ScanDigests(130);
  const bytesOf = (region: number): Buffer => Buffer.alloc(DIGEST_BYTES, region + 1);
  for (const region of [0, 1, 63, 64, 129]) digests.put(region, bytesOf(region));
  digests.putUnreadable(2);
  digests.put(3, undefined);
  // Later ones would be of what the guest wrote meanwhile.
  for (const region of [0, 2, 3]) digests.put(region, bytesOf(99));
  digests.putUnreadable(0);
  for (const region of [0, 1, 63, 64, 129]) expect(digests.get(region)).toBe(bytesOf(region).toString('base64url'));
  expect([digests.get(2), digests.get(3), digests.get(4)]).toEqual([null, digestText(undefined), undefined]);
  expect([3, 4, 129, 130].map((region) => digests.needs(region))).toEqual([false, true, false, false]);
});
