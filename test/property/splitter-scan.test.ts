// A volume's scan against a model: whatever the guest writes meanwhile, its digests are those of
// the content at its mark.
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import { type DigestRun, VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import { digestText, RegionDigester } from '../../simulator/digest/region-digest.js';
import { type Copy, MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { Marks } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';
import { MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { ProtectedVolume } from '../../simulator/splitter/volume/protected-volume.js';
import { SourceFile } from '../../simulator/splitter/files/source-file.js';
import { BacklogFile } from '../../simulator/splitter/files/backlog-file.js';
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';
import type { VolumeScan } from '../../simulator/splitter/volume/volume-scan.js';

const TIMEOUT_MS = 120_000;
const REGIONS = 12;
const SIZE_BYTES = (REGIONS - 1) * VERIFY_REGION_BYTES + 5_000;
const BUDGET_BYTES = 256 * 1024 * 1024;
const log = pino({ level: 'silent' });

const change = fc
  .record({
    kind: fc.constantFrom('write' as const, 'zeroes' as const),
    offset: fc.integer({ min: 0, max: SIZE_BYTES - 1 }),
    length: fc.oneof(
      fc.integer({ min: 1, max: 9_000 }),
      // A write above 64 KiB leaves the main thread, and can be half-way.
      fc.integer({ min: VERIFY_REGION_BYTES, max: 4 * VERIFY_REGION_BYTES }),
    ),
    fill: fc.integer({ min: 1, max: 255 }),
  })
  .map(({ length, ...rest }) => ({ ...rest, length: Math.min(length, SIZE_BYTES - rest.offset) }));

const step = fc.oneof(
  { weight: 6, arbitrary: change },
  { weight: 2, arbitrary: fc.constant({ kind: 'turn' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'open' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('read' as const), region: fc.integer({ min: 0, max: REGIONS - 1 }) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function contentAt(copies: readonly Copy[], n: number): Buffer {
  const content = Buffer.alloc(SIZE_BYTES);
  for (const copy of copies) {
    if (copy.n > n) break;
    if (copy.kind === 'zeroes') content.fill(0, copy.offset, copy.offset + copy.length);
    else if (copy.kind === 'write' && Buffer.isBuffer(copy.data)) copy.data.copy(content, copy.offset);
  }
  return content;
}

function digestsOf(content: Buffer, key: string): string[] {
  const digester = new RegionDigester(key);
  return Array.from({ length: REGIONS }, (_, region) => {
    const at = region * VERIFY_REGION_BYTES;
    return digestText(digester.digestOf(content.subarray(at, at + VERIFY_REGION_BYTES)));
  });
}

/** The digests of the regions from `from` on. A run of holes becomes one "" for each region. */
async function readAll(scan: VolumeScan, from: number): Promise<(string | null)[]> {
  const runs: DigestRun[] = [];
  for (let at = from; at < REGIONS;) {
    const { regions, digests } = await scan.read(at, REGIONS - at, REGIONS);
    runs.push(...digests);
    at += regions;
  }
  return runs.flatMap((run) => (typeof run === 'number' ? Array.from({ length: run }, () => '') : [run]));
}

/** Asks again as a caller does: a busy disk may keep writes under way longer than a scan waits. */
async function openScan(volume: ProtectedVolume): Promise<VolumeScan> {
  for (;;) {
    try {
      return await volume.openScan();
    } catch (error) {
      if (!(error instanceof MoverError) || error.code !== 'SCAN_BUSY') throw error;
      await nextTurn();
    }
  }
}

async function run(steps: readonly Step[], sync: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'scan-'));
  const marks = new Marks(SIZE_BYTES);
  const split = new VolumeSplit({
    row: {
      volume: volumeIdSchema.parse('v1'),
      sizeBytes: SIZE_BYTES,
      route: {
        group: groupIdSchema.parse('g1'),
        appliance: applianceIdSchema.parse('a1'),
        url: 'http://127.0.0.1:1',
        epoch: 1,
      },
      source: SOURCE,
      proven: true,
    },
    splitter: splitterIdSchema.parse('s1'),
    session: 1,
    life: LIFE,
    marks,
    budget: new MemoryBudget(BUDGET_BYTES),
    spill: new BacklogFile(join(folder, 'spill'), 0, log),
    queueMaxBytes: BUDGET_BYTES,
    nowMs: 0,
    beganAtMs: 0,
    startReason: '',
  });
  split.attached({ n: 0, lineage: LINEAGE, base: 0 });
  const copies: Copy[] = [];
  const volume = new ProtectedVolume({
    split,
    source: new SourceFile(join(folder, 'source'), SIZE_BYTES),
    marksFile: new MarksFile(join(folder, 'marks'), marks),
    held: new HeldAcknowledgements(new Holds()),
    sync,
    events: {
      onNumbered: () => {
        for (let copy = split.peek(); copy !== undefined; copy = split.peek()) {
          copies.push(copy);
          split.advance();
        }
      },
      onSettled: () => undefined,
      onMarked: () => {
        throw new Error('there is room for every copy');
      },
    },
  });
  volume.guestCame();
  try {
    const writes: Promise<void>[] = [];
    let opening: Promise<VolumeScan> | undefined;
    const early: { readonly region: number; readonly digest: Promise<(string | null)[]> }[] = [];
    for (const each of steps) {
      if (each.kind === 'turn') await nextTurn();
      else if (each.kind === 'settle') await Promise.all(writes);
      else if (each.kind === 'open') opening ??= openScan(volume);
      else if (each.kind === 'read') {
        const scan = await opening;
        // The read is not awaited: writes go on meanwhile.
        if (scan !== undefined) early.push({ region: each.region, digest: readAll(scan, each.region) });
      } else {
        const { kind, offset, length, fill } = each;
        const data = Buffer.alloc(length, fill);
        writes.push(
          Promise.resolve(
            volume.change(kind === 'write' ? { kind, offset, length, data } : { kind, offset, length }, false),
          ),
        );
      }
    }
    const scan = await (opening ?? openScan(volume));
    await Promise.all(writes);
    const digests = await readAll(scan, 0);
    expect(digests).toEqual(digestsOf(contentAt(copies, scan.mark.n), scan.key));
    for (const { region, digest } of early) expect(await digest).toEqual(digests.slice(region));
    volume.closeScan(scan, 'done');
    // In the end the model equals the disk.
    const again = await openScan(volume);
    expect(await readAll(again, 0)).toEqual(digestsOf(contentAt(copies, split.lastN), again.key));
  } finally {
    volume.guestLeft();
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each([false, true])(
  'its digests are those of the content at its mark, read early or late, while writes overlap it (sync: %s)',
  { timeout: TIMEOUT_MS },
  async (sync) => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 40 }), (steps) => run(steps, sync));
    await expect(fc.assert(property, { numRuns: sync ? 60 : 250 })).resolves.toBeUndefined();
  },
);
