// The report of a run for people: a table for each part, how it was measured, and what was not.
import { bytes, duration } from '../../client/text/format.js';
import type { Table } from '../bench.js';
import { medianOf, spreadOf } from '../statistics.js';
import { DENSE_MIB, MOVED_MIB, MOVED_POINT_EVERY_MS, OPENED, THIN_DATA_MIB } from './history-estate.js';
import { type Opening, OPENINGS, openingsOf } from './opening.js';
import { GUEST_DEPTH, POINTS_IN_GROUP, type PointsOutcome, WRITES_PER_SECOND } from './points.js';
import type { ThinRun } from './thin.js';
import { COMPARED, type Compared, comparedOf, OURS, PEER } from './verification.js';

const MIB = 1024 * 1024;

export function moveTable({ moves }: PointsOutcome): Table {
  return {
    titles: [
      'MOVE',
      'POINTS BEFORE',
      'STILL THERE AFTER',
      'POINTS AFTER',
      'FENCED',
      'WRITTEN MEANWHILE',
      'SENT AGAIN',
      'HOLES',
    ],
    rows: moves.map(({ from, to, before, lost, after, fencedMs, backlogBytes, resentBytes, holes }) => [
      `${from} → ${to}`,
      `${before}`,
      `${before - lost.length}`,
      `${after}`,
      duration(fencedMs),
      bytes(backlogBytes),
      bytes(resentBytes),
      `${holes}`,
    ]),
  };
}

export function openingTable(openings: readonly Opening[]): Table {
  const ordered = OPENED.toSorted((a, b) => a.sizeMiB - b.sizeMiB || a.changedMiB - b.changedMiB);
  return {
    titles: ['VOLUME', 'CHANGED', 'POINT OPENED IN', 'MIN–MAX', 'CONNECTING'],
    rows: ordered.map((volume) => {
      const own = openingsOf(openings, volume);
      const { median, min, max } = spreadOf(own.map(({ ms }) => ms));
      return [
        bytes(volume.sizeMiB * MIB),
        bytes(volume.changedMiB * MIB),
        duration(median),
        `${duration(min)}–${duration(max)}`,
        duration(medianOf(own.map(({ connectMs }) => connectMs))),
      ];
    }),
  };
}

export function verificationTable(compared: readonly Compared[]): Table {
  return {
    titles: ['VOLUME', 'COMPARED BY', 'TOOK', 'MIN–MAX', 'PER SECOND'],
    rows: COMPARED.flatMap((volume) =>
      ([OURS, PEER] as const).map((subject) => {
        const own = comparedOf(compared, volume, subject);
        const { median, min, max } = spreadOf(own.map(({ ms }) => ms));
        return [
          `${bytes(volume.sizeMiB * MIB)}, ${volume.content}`,
          subject,
          duration(median),
          `${duration(min)}–${duration(max)}`,
          bytes(medianOf(own.map(({ bytesPerSecond }) => bytesPerSecond))),
        ];
      }),
    ),
  };
}

export function thinTable(runs: readonly ThinRun[]): Table {
  const row = (what: string, of: (run: ThinRun) => number): string[] => {
    const { median, min, max } = spreadOf(runs.map(of));
    return [what, duration(median), `${duration(min)}–${duration(max)}`];
  };
  return {
    titles: [`16 TIB, ${bytes(THIN_DATA_MIB * MIB)} OF DATA`, 'TOOK', 'MIN–MAX'],
    rows: [
      row('verified', ({ verifyMs }) => verifyMs),
      row('recovered', ({ recoverMs }) => recoverMs),
      row('resynced', ({ resyncMs }) => resyncMs),
    ],
  };
}

export const CONDITIONS = [
  'replica site, two appliances, one splitter, worker and Temporal’s dev server, each as its own process; all volumes in one estate',
  `moves: a volume of ${bytes(MOVED_MIB * MIB)}; a guest writes ${WRITES_PER_SECOND} random blocks of 4 KiB a second (${GUEST_DEPTH} at a time) from before the first move until after the last; a point every ${duration(MOVED_POINT_EVERY_MS)}, at least ${POINTS_IN_GROUP} of the first group before the first move; the default retention policy, which keeps every point of the last hour`,
  'points before: all points of any group that contain the volume, listed just before the move; each was opened over NBD and read whole, except those closed during that reading; after the move each is opened and read whole again; it is lost when it is not listed, can’t be opened, or holds other bytes',
  'at the end every point is compared with the guest’s log of its writes, and source and replica byte for byte',
  'written meanwhile: the backlog behind the fence when the splitter learned the verdict; sent again: by short initialization, from the fence to the join',
  'opening: the written places lie evenly over the volume; each gets 4 KiB once before the point and once after it, so half of the changed bytes are UNDO after the point; an opening is a new NBD connection to an appliance, measured until the first 4 KiB (which need UNDO) are read and checked',
  `opening: ${OPENINGS} openings of each volume a repetition, interleaved, one at a time, after a warm-up; everything is in the page cache, and no image of a volume is open when it is opened again`,
  `verification: ${bytes(DENSE_MIB * MIB)} of random bytes, and the opened volume of that size; ours as its Temporal workflow, from its start to its result, without throttle; the peer on the splitter’s and the replica site’s files; each once unmeasured, then alternately; nobody writes; everything is in the page cache`,
  `thin: ${bytes(THIN_DATA_MIB * MIB)} in pieces of 1 MiB, spread over 16 TiB less 1 MiB (the largest file of ext4); verified with the default throttle, then a point recovered to a file, then the whole volume compared by order, in turns`,
  'goals of verification are judged by the median of the ratios of comparisons that followed each other',
];

export const NOT_MEASURED = [
  'moves with faults or overflows, where marks have to be used (the simulation and the chaos tests have them)',
  'points that retention drops or consolidates; journals of hours or days',
  'opening with a cold page cache, while the volume is written, by several clients at once, or over a network; reading more than the first block',
  'verification while a guest writes (which qemu-img can’t do at all), with its default throttle, from a disk, or over a network',
];
