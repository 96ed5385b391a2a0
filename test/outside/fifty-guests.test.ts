// Fifty guests of one host under fio while three of their volumes fail, each in a way of its own:
// the others see no error, and hardly wait longer.
//
// The only test with a figure of time in it, because neighbours that wait are a fault as neighbours
// that fail are. It is a ratio of two runs, one after the other, at a rate that leaves most of two
// processor cores idle: a busy machine slows both. Still, other work may fall into the second run
// alone. So up to three pairs of runs are taken and the best counts: a product that makes
// neighbours wait does so in each. What a guest's write costs is measured in bench/.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { medianOf } from '../../bench/statistics.js';
import { controlUrl } from '../../contracts/estate.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import type { Calls } from '../../contracts/route.js';
import { createApiClient } from '../../control/client.js';
import { compareExports } from '../../estate/compare.js';
import { FailingFile } from '../support/failing-file.js';
import { createNamespace } from '../support/namespace.js';
import { SmallDisk } from '../support/small-disk.js';
import { estateOf, TestEstate, uriOf } from '../support/test-estate.js';
import { runTool } from '../support/tools.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE_MIB = 16;
const HOST = 'host-1';
/** Its source's disk answers EIO to everything. */
const BROKEN = 'broken';
/** Its source's disk is full. */
const FULL = 'full';
/**
 * Its distribution is paused at the replica site, which then takes in `UNAPPLIED_MIB` and no more.
 */
const STALLED = 'stalled';
const FAULTY: readonly string[] = [BROKEN, FULL, STALLED];
const SOUND = Array.from({ length: 47 }, (_, i) => `sound-${i + 1}`);
const VOLUMES = [...FAULTY, ...SOUND];
/** The least that can be set: its guest writes that much within a second. */
const UNAPPLIED_MIB = '1';
/** A point names 25 volumes: more often it would cost more than the guests do. */
const POINT_EVERY_MS = 1_000;
/** Some 200 writes and 70 reads of each guest. */
const RUN_SECONDS = 10;
/** Long enough that each guest writes. */
const AFTER_SECONDS = 3;
const WRITES_PER_SECOND = 20;
const READS_PER_SECOND = 7;
/**
 * Its file goes through this process: a faster guest would make all wait for that, in both runs.
 */
const BROKEN_PER_SECOND = 5;
const STALLED_WRITE_BYTES = 64 * KIB;
const PAIRS_MAX = 3;
/** Promised: with the faults the 99th percentile is at most this many times the one without. */
const RATIO_MAX = 2;
/** Three pairs; one takes some 35 s. */
const TEST_MS_MAX = 300_000;

let folder: string;
let disk: SmallDisk;
let broken: FailingFile;
let estate: TestEstate;
let site: Calls<typeof replicaSiteApi>;
/** Health's notes before any fault: they tell of disks that were there before their splitter. */
let notesAtStart: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vm-fifty-'));
  disk = SmallDisk.mount(join(folder, 'disk'), SIZE_MIB * KIB + KIB);
  broken = await FailingFile.mount(join(folder, 'broken.img'), Buffer.alloc(SIZE_MIB * MIB));
  const planned = estateOf({
    groups: {
      'cg-gold': { appliance: 'appliance-1', volumes: VOLUMES.filter((_, i) => i % 2 === 0) },
      'cg-silver': { appliance: 'appliance-2', volumes: VOLUMES.filter((_, i) => i % 2 === 1) },
    },
    sizeMiB: SIZE_MIB,
  });
  for (const group of planned.groups) group.pointEveryMs = POINT_EVERY_MS;
  const address = inject('temporalAddress');
  estate = await TestEstate.start({
    estate: planned,
    temporal: { address, namespace: await createNamespace(address) },
    environment: { VOLUME_MOVER_UNAPPLIED_MIB: UNAPPLIED_MIB, VOLUME_MOVER_TRACE: '0' },
    prepare: (data) => {
      const volumes = join(data, HOST, 'volumes');
      mkdirSync(volumes, { recursive: true });
      symlinkSync(broken.path, join(volumes, `${BROKEN}.img`));
      const onSmallDisk = join(disk.folder, `${FULL}.img`);
      writeFileSync(onSmallDisk, '');
      truncateSync(onSmallDisk, SIZE_MIB * MIB);
      symlinkSync(onSmallDisk, join(volumes, `${FULL}.img`));
    },
  });
  site = createApiClient(replicaSiteApi, { baseUrl: controlUrl(estate.running.estate.replicaSite.control) });
  await inStep();
  notesAtStart = await notes();
});

afterAll(async () => {
  await estate.stop();
  await broken.unmount();
  disk.unmount();
  rmSync(folder, { recursive: true, force: true });
});

const reportSchema = z.object({
  jobs: z.array(
    z.object({
      jobname: z.string(),
      error: z.number(),
      total_err: z.number().default(0),
      write: z.object({
        total_ios: z.number(),
        clat_ns: z.object({ percentile: z.record(z.string(), z.number()).default({}) }),
      }),
    }),
  ),
});

interface Run {
  /** I/O errors by volume. */
  readonly errors: ReadonlyMap<string, number>;
  readonly writes: ReadonlyMap<string, number>;
  /** Median of the sound volumes' 99th percentiles of a write's time, ns. */
  readonly p99Ns: number;
}

interface RunOptions {
  readonly seconds?: number;
  /**
   * Whether the guest of the full disk writes where it never wrote, so that each write wants room:
   * one that succeeds ends what health says.
   */
  readonly onFullDisk?: boolean;
}

/** One guest on each volume; those of faulty ones go on after an error. */
async function runFio(seed: number, { seconds = RUN_SECONDS, onFullDisk = false }: RunOptions = {}): Promise<Run> {
  const [jobs, output] = [join(folder, 'jobs.fio'), join(folder, 'fio.json')];
  const sections = await Promise.all(VOLUMES.map(async (volume, i) => sectionOf(volume, seed + i, onFullDisk)));
  writeFileSync(jobs, [GLOBAL, `runtime=${seconds}`, ...sections].join('\n'));
  const { output: said } = await runTool('fio', '--output-format=json', `--output=${output}`, jobs);
  const text = readFileSync(output, 'utf8');
  rmSync(output);
  const report = reportSchema.parse(JSON.parse(text.slice(text.indexOf('{'))));
  expect(
    report.jobs.map(({ jobname }) => jobname),
    said,
  ).toEqual(VOLUMES);
  const sound = report.jobs.filter(({ jobname }) => !FAULTY.includes(jobname));
  return {
    errors: new Map(report.jobs.map((job) => [job.jobname, job.error + job.total_err])),
    writes: new Map(report.jobs.map((job) => [job.jobname, job.write.total_ios])),
    p99Ns: medianOf(sound.map(({ write }) => write.clat_ns.percentile['99.000000'] ?? Number.NaN)),
  };
}

/** Guests write at random instants: a fixed pace would let all fifty write at once. */
const GLOBAL = `[global]
ioengine=nbd
thread=1
rw=randrw
bs=4k
size=${SIZE_MIB}m
iodepth=4
norandommap=1
time_based=1
rate_process=poisson
rwmixread=25
rate_iops=${READS_PER_SECOND},${WRITES_PER_SECOND}`;

async function sectionOf(volume: string, seed: number, onFullDisk: boolean): Promise<string> {
  const own: Readonly<Record<string, readonly string[]>> = {
    [BROKEN]: [`rate_iops=${BROKEN_PER_SECOND},${BROKEN_PER_SECOND}`, 'rwmixread=50'],
    [FULL]: [`size=${SIZE_MIB / 2}m`, `offset=${onFullDisk ? SIZE_MIB / 2 : 0}m`],
    [STALLED]: [`bs=${STALLED_WRITE_BYTES}`],
  };
  const goesOn = FAULTY.includes(volume) ? ['continue_on_error=all'] : [];
  const uri = uriOf(await estate.source(volume));
  return [`[${volume}]`, `uri=${uri}`, `randseed=${seed}`, ...(own[volume] ?? []), ...goesOn].join('\n');
}

async function setFaults(on: boolean): Promise<void> {
  if (on) disk.fill();
  else disk.empty();
  if (on) broken.breakAt(0, SIZE_MIB * MIB);
  else broken.unreadable.clear();
  broken.refusesWrites = on;
  await site.setDistribution({ volume: volumeIdSchema.parse(STALLED), paused: on });
}

const notes = async (): Promise<string> =>
  [await site.health({}), await estate.splitter().calls.health({})].flatMap((health) => health.notes).join('\n');

const source = (volume: string): string => join(estate.folder, HOST, 'volumes', `${volume}.img`);

/** Each fault in the words that an administrator reads. */
async function named(): Promise<void> {
  const expected = [source(BROKEN), source(FULL), `of volume "${STALLED}" has been accepted`];
  await untilTrue('health names the three volumes', PATIENCE_MS, async () => {
    const said = await notes();
    return expected.every((words) => said.includes(words));
  });
}

/** Nothing is marked or on its way. */
async function inStep(): Promise<void> {
  await untilTrue('all volumes are in step', PATIENCE_MS, async () => {
    const { volumes } = await estate.splitter().calls.inventory({});
    return volumes.every((view) => view.mode === 'SYNCED' && view.markedRegions + view.unconfirmedBytes === 0);
  });
}

/** Resolves when all is as it was before the faults. */
async function healed(): Promise<void> {
  await inStep();
  await untilTrue('health says nothing new', PATIENCE_MS, async () => (await notes()) === notesAtStart);
}

const failures = (run: Run, volumes: readonly string[]): readonly string[] =>
  volumes.filter((volume) => run.errors.get(volume) !== 0);

test(
  'while one source answers EIO, another’s disk is full and a third volume stalls, 47 guests see no error and no long wait, and all 50 heal',
  async () => {
    const ratios: number[] = [];
    for (let pair = 1; pair <= PAIRS_MAX && !ratios.some((ratio) => ratio <= RATIO_MAX); pair += 1) {
      const before = await runFio(pair * 1_000);
      expect(failures(before, VOLUMES)).toEqual([]);

      await setFaults(true);
      const during = await runFio(pair * 2_000, { onFullDisk: true });
      await named();
      expect(failures(during, SOUND)).toEqual([]);
      // The faults were there, and the guest of a stalled volume notices nothing either.
      expect(failures(during, FAULTY)).toEqual([BROKEN, FULL]);
      for (const volume of [...SOUND, STALLED])
        expect(during.writes.get(volume), volume).toBeGreaterThan((before.writes.get(volume) ?? 0) / 2);
      ratios.push(during.p99Ns / before.p99Ns);
      console.log(`p99 of 47 guests: ${before.p99Ns / 1e6} ms without faults, ${during.p99Ns / 1e6} ms with them`);

      await setFaults(false);
      // A fault of a write is told of until one succeeds.
      expect(failures(await runFio(pair * 3_000, { seconds: AFTER_SECONDS }), VOLUMES)).toEqual([]);
      await healed();
    }
    expect(Math.min(...ratios), `ratios ${ratios.join(', ')}`).toBeLessThanOrEqual(RATIO_MAX);

    await estate.quiet(...VOLUMES);
    for (const volume of [...FAULTY, ...SOUND.slice(0, 3)])
      expect(await compareExports(await estate.source(volume), await estate.image(volume)), volume).toMatchObject({
        differentBytes: 0,
      });
  },
  TEST_MS_MAX,
);
