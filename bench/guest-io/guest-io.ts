// `guest-io`: the cost of protection for a guest's writes, beside QEMU's own ways to serve and to
// mirror a disk.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes, duration } from '../../client/text/format.js';
import { atLeast, type Bench, type BenchResult, type BenchRun, type Goal } from '../bench.js';
import { medianOf, type Spread, spreadOf } from '../statistics.js';
import { versionOf } from '../versions.js';
import { measure, prepare, type Run } from './measure.js';
import { protectedVolume, unprotectedVolume } from './ours.js';
import { qemuMirror } from './qemu-mirror.js';
import { qemuNbd } from './qemu-nbd.js';
import type { RunningSubject, Subject } from './subject.js';

const SUBJECTS: readonly Subject[] = [protectedVolume, qemuMirror, unprotectedVolume, qemuNbd];
const DEPTHS = [1, 32] as const;
type Depth = (typeof DEPTHS)[number];
/**
 * Size of the volume: the page cache holds all of it, for every subject. So the servers are
 * measured, not the disk below.
 */
const SIZE_BYTES = 256 * 1024 * 1024;
/**
 * Length of a run, s: long compared with every pause for garbage collection or write-back. Data in
 * flight at the end counts through the time to catch up.
 */
const RUN_S = 6;
const REPETITIONS = 5;

const GOALS: Readonly<Record<Depth, { readonly goal: number; readonly stretch: number }>> = {
  1: { goal: 0.8, stretch: 1 },
  32: { goal: 1, stretch: 1.5 },
};

interface Measured extends Run {
  readonly subject: string;
  readonly depth: Depth;
  readonly repetition: number;
}

export const guestIo: Bench = {
  name: 'guest-io',
  summary: '4 KiB random writes over NBD: our volume, protected and not, beside qemu-nbd and a QEMU mirror',
  repetitions: REPETITIONS,
  run,
};

async function run(options: BenchRun): Promise<BenchResult> {
  const programs = ['fio', 'qemu-nbd', 'qemu-storage-daemon'];
  const versions = await Promise.all(programs.map(async (program) => [program, await versionOf(program)] as const));
  const runs = await measureAll(options);
  return {
    ...judge(runs),
    table: { titles: TITLES, rows: DEPTHS.flatMap((depth) => SUBJECTS.map((subject) => row(runs, subject, depth))) },
    raw: { summary: summary(runs), runs },
    conditions: CONDITIONS,
    notMeasured: NOT_MEASURED,
    versions: Object.fromEntries(versions),
  };
}

/**
 * Measures all runs. All servers run all the time, idle unless measured, so that compared runs
 * follow each other closely.
 */
async function measureAll({ folder, profileFolder, repetitions, print }: BenchRun): Promise<Measured[]> {
  const running: { readonly subject: Subject; readonly server: RunningSubject }[] = [];
  const runs: Measured[] = [];
  try {
    for (const subject of SUBJECTS) {
      const own = join(folder, `${SUBJECTS.indexOf(subject)}`);
      await mkdir(own);
      const server = await subject.start({ folder: own, sizeBytes: SIZE_BYTES, profileFolder });
      running.push({ subject, server });
      await prepare(server, SIZE_BYTES, folder);
    }
    for (let repetition = 1; repetition <= repetitions; repetition += 1) {
      for (const depth of DEPTHS) {
        for (const { subject, server } of repetition % 2 === 1 ? running : running.toReversed()) {
          const load = { depth, seconds: RUN_S, sizeBytes: SIZE_BYTES, seed: repetition, folder };
          const result = await measure(server, load);
          print(`${repetition}. ${subject.name}, depth ${depth}: ${sentence(result)}`);
          runs.push({ subject: subject.name, depth, repetition, ...result });
        }
      }
    }
    for (const { server } of running) await server.prove();
  } finally {
    for (const { server } of running) await server.stop();
  }
  return runs;
}

function sentence({ iops, sustainedIops, behindBytes, catchUpMs, fellBack, othersCores }: Run): string {
  const behind = `, ${bytes(behindBytes)} behind at the end, caught up in ${duration(catchUpMs)}, sustained ${whole(sustainedIops)}`;
  const marks = fellBack ? ', FELL BACK TO MARKS' : '';
  return `${whole(iops)} writes/s${behindBytes === 0 ? '' : behind}${marks}; others ${othersCores.toFixed(2)} cores`;
}

/** Judges by pairs of runs that followed each other: passing noise then hits both. */
function judge(runs: readonly Measured[]): { goals: Goal[]; stretch: Goal[] } {
  const judged = (which: 'goal' | 'stretch'): Goal[] =>
    DEPTHS.toReversed().map((depth) => {
      const mirror = select(runs, qemuMirror, depth);
      const ratios = select(runs, protectedVolume, depth).map(({ repetition, sustainedIops }) => {
        const pair = mirror.find((run) => run.repetition === repetition);
        return sustainedIops / (pair?.iops ?? Number.POSITIVE_INFINITY);
      });
      return atLeast(`protected (sustained) ÷ QEMU mirror, depth ${depth}`, medianOf(ratios), GOALS[depth][which]);
    });
  return { goals: judged('goal'), stretch: judged('stretch') };
}

function select(runs: readonly Measured[], { name }: Subject, depth: Depth): Measured[] {
  return runs.filter((run) => run.subject === name && run.depth === depth);
}

const TITLES = [
  'DEPTH',
  'SERVER',
  'WRITES/S',
  'SUSTAINED',
  'MIN–MAX',
  'MEDIAN',
  'P99',
  'BEHIND AT END',
  'CATCH-UP',
  'CPU/WRITE',
  'OTHERS',
];

function row(runs: readonly Measured[], subject: Subject, depth: Depth): string[] {
  const of = select(runs, subject, depth);
  const median = (value: (run: Measured) => number): number => medianOf(of.map(value));
  const sustained = spreadOf(of.map(({ sustainedIops }) => sustainedIops));
  return [
    `${depth}`,
    subject.name,
    whole(median(({ iops }) => iops)),
    whole(sustained.median),
    `${whole(sustained.min)}–${whole(sustained.max)}`,
    microseconds(median(({ medianMs }) => medianMs)),
    microseconds(median(({ p99Ms }) => p99Ms)),
    `${bytes(median(({ behindBytes }) => behindBytes))} of ${bytes(median((run) => run.bytes))}`,
    duration(median(({ catchUpMs }) => catchUpMs)),
    microseconds(median(({ cpuMs, writes }) => Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0) / writes)),
    `${median(({ othersCores }) => othersCores).toFixed(2)} cores`,
  ];
}

type Summary = Readonly<
  Record<
    'iops' | 'sustainedIops' | 'medianMs' | 'p99Ms' | 'behindBytes' | 'behindBytesMax' | 'catchUpMs' | 'othersCores',
    Spread
  >
>;

function summary(runs: readonly Measured[]): Record<string, Summary> {
  const entries = DEPTHS.flatMap((depth) =>
    SUBJECTS.map((subject) => {
      const of = select(runs, subject, depth);
      const spread = (key: keyof Summary): Spread => spreadOf(of.map((run) => run[key]));
      const summed: Summary = {
        iops: spread('iops'),
        sustainedIops: spread('sustainedIops'),
        medianMs: spread('medianMs'),
        p99Ms: spread('p99Ms'),
        behindBytes: spread('behindBytes'),
        behindBytesMax: spread('behindBytesMax'),
        catchUpMs: spread('catchUpMs'),
        othersCores: spread('othersCores'),
      };
      return [`${subject.name}, depth ${depth}`, summed] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function whole(value: number): string {
  return `${Math.round(value)}`;
}

function microseconds(ms: number): string {
  return `${Math.round(ms * 1_000)} µs`;
}

const CONDITIONS = [
  `fio with its nbd engine over a unix socket, one connection, 4 KiB random writes over ${bytes(SIZE_BYTES)}, ${RUN_S} s a run`,
  'every server is started, filled (so that no run allocates a block) and warmed up once; then they are measured one at a time, in alternating order, while the others are idle',
  'a goal is judged by the median of the ratios of runs that followed each other',
  ...SUBJECTS.map(({ name, what }) => `${name}: ${what}`),
  'all of them write through the page cache and none syncs: what is acknowledged survives the end of any process, not a power loss',
  'sustained: writes divided by the time until the second copy had all of them (the QEMU mirror has them at once); the goals are judged by it',
  'at the end source and second copy were compared byte for byte; a run in which our volume fell back to marks counts as 0',
  'others: cores that processes outside the measurement kept busy during it',
];

const NOT_MEASURED = [
  'the disk below: no run waits for it, and a volume beyond the page cache would',
  'a network between the sites: everything is on one machine, so the CPU of guest, both sites and both copies adds up on the same cores',
  'reads, larger or mixed blocks, FLUSH and FUA, several guests or volumes at once, and VOLUME_MOVER_SYNC=1',
  'a move under this load (the demo reports its write latencies)',
];
