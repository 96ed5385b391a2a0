// `history`: whether moves keep a volume's recovery points and send nothing twice, and what using
// its history costs.
import { bytes } from '../../client/text/format.js';
import { atLeast, atMost, type Bench, type BenchResult, type BenchRun, type Goal } from '../bench.js';
import { medianOf, spreadOf } from '../statistics.js';
import { versionOf } from '../versions.js';
import { BY_SIZE, THIN_DATA_MIB } from './history-estate.js';
import { measureOpening, type Opening, openingsOf, prepareOpening } from './opening.js';
import { measurePoints, type PointsOutcome } from './points.js';
import { CONDITIONS, moveTable, NOT_MEASURED, openingTable, thinTable, verificationTable } from './report.js';
import { openTestbed } from './testbed.js';
import { lostBitmapSeconds, measureThin, prepareThin, type ThinRun } from './thin.js';
import {
  COMPARED,
  type Compared,
  comparedOf,
  measureVerification,
  OURS,
  PEER,
  prepareVerification,
} from './verification.js';

const MIB = 1024 * 1024;
const REPETITIONS = 3;
const RESENT_GOAL = 0.05;
const FLAT_GOAL = 1.5;
/** Least speed of verification beside the peer's. */
const VERIFY_GOALS = { dense: 0.5, sparse: 1 } as const;
/** Longest time to verify, to recover, or to resync 16 TiB with little in them, seconds. */
const THIN_SECONDS = 10;
/** Longest time to load a lost bitmap of 16 TiB, seconds. */
const LOST_BITMAP_SECONDS = 2;
const PROGRAM = 'qemu-img';

export const history: Bench = {
  name: 'history',
  summary:
    'recovery points and bytes sent again over three moves under load; opening old points; verification beside qemu-img compare; a thin volume of 16 TiB',
  repetitions: REPETITIONS,
  run,
};

async function run(options: BenchRun): Promise<BenchResult> {
  const { repetitions, print } = options;
  const version = await versionOf(PROGRAM);
  const testbed = await openTestbed(options);
  try {
    const points = await measurePoints(testbed, print);
    print('Writing the volumes to open and compare.');
    const oldPoint = await prepareOpening(testbed);
    const openings = await measureOpening(testbed, oldPoint, repetitions);
    await prepareVerification(testbed);
    const compared = await measureVerification(testbed, repetitions, print);
    await prepareThin(testbed);
    const thin = await measureThin(testbed, repetitions, print);
    const lostBitmap = Array.from({ length: repetitions }, () => lostBitmapSeconds(options.folder));
    return {
      goals: [
        ...pointGoals(points),
        flatGoal(openings),
        ...verificationGoals(compared),
        ...thinGoals(thin, lostBitmap),
      ],
      stretch: [],
      table: moveTable(points),
      furtherTables: [openingTable(openings), verificationTable(compared), thinTable(thin)],
      raw: { points, openings, compared, thin, lostBitmap },
      conditions: CONDITIONS,
      notMeasured: NOT_MEASURED,
      versions: { 'Temporal server': testbed.server, [PROGRAM]: version },
    };
  } finally {
    await testbed.stop();
  }
}

function pointGoals(outcome: PointsOutcome): Goal[] {
  const { moves, resentBytes, sizeBytes, holes, impossible, differentBytes, sourceFaults } = outcome;
  const sum = (value: (move: PointsOutcome['moves'][number]) => number): number =>
    moves.reduce((total, move) => total + value(move), 0);
  return [
    ...moves.map(({ from, to, lost }) => atMost(`recovery points lost by the move ${from} → ${to}`, lost.length, 0)),
    atMost('recovery points that hold no state the guest went through', impossible.length, 0),
    atMost(
      'bytes sent again ÷ bytes written between fence and verdict, three moves',
      sum((move) => move.resentBytes) / sum((move) => move.backlogBytes),
      RESENT_GOAL,
    ),
    atMost(
      'bytes sent again in the whole run ÷ size of the volume (1: a whole-volume sweep)',
      resentBytes / sizeBytes,
      0,
    ),
    atMost('holes in the volume’s timeline', holes, 0),
    atMost('bytes in which replica and source differ at the end', differentBytes, 0),
    atMost('blocks of the source that differ from what the guest wrote', sourceFaults, 0),
  ];
}

function flatGoal(openings: readonly Opening[]): Goal {
  const medians = BY_SIZE.map((volume) => medianOf(openingsOf(openings, volume).map(({ ms }) => ms)));
  const { min, max } = spreadOf(medians);
  const sizes = BY_SIZE.map(({ sizeMiB }) => bytes(sizeMiB * MIB)).join(', ');
  return atMost(`time to open an old point, slowest ÷ fastest of ${sizes}`, max / min, FLAT_GOAL);
}

/** Goals judged by pairs of comparisons that followed each other. */
function verificationGoals(compared: readonly Compared[]): Goal[] {
  return COMPARED.map((volume) => {
    const peers = comparedOf(compared, volume, PEER);
    const ratios = comparedOf(compared, volume, OURS).map(({ repetition, bytesPerSecond }) => {
      const pair = peers.find((run) => run.repetition === repetition);
      return bytesPerSecond / (pair?.bytesPerSecond ?? Number.POSITIVE_INFINITY);
    });
    const name = `${OURS} ÷ ${PEER}, ${bytes(volume.sizeMiB * MIB)} ${volume.content}`;
    return atLeast(name, medianOf(ratios), VERIFY_GOALS[volume.kind]);
  });
}

function thinGoals(runs: readonly ThinRun[], lostBitmap: readonly number[]): Goal[] {
  const seconds = (of: (run: ThinRun) => number): number => medianOf(runs.map(of)) / 1_000;
  const what = `16 TiB with ${bytes(THIN_DATA_MIB * MIB)} in them, s`;
  return [
    atMost(
      `verification of ${what}`,
      seconds(({ verifyMs }) => verifyMs),
      THIN_SECONDS,
    ),
    atMost(
      `recovery to a file of ${what}`,
      seconds(({ recoverMs }) => recoverMs),
      THIN_SECONDS,
    ),
    atMost(
      `resync of ${what}`,
      seconds(({ resyncMs }) => resyncMs),
      THIN_SECONDS,
    ),
    atMost('loading a lost bitmap of 16 TiB, s', medianOf([...lostBitmap]), LOST_BITMAP_SECONDS),
  ];
}
