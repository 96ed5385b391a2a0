// The report of a run for people: rates, the parent's runs, memory, how it was measured, and what
// was not.
import { bytes, duration } from '../../client/text/format.js';
import type { Table } from '../bench.js';
import { medianOf, spreadOf } from '../statistics.js';
import type { Pair, Size } from './size.js';
import { GROUP_VOLUMES, POINT_EVERY_MS, VOLUME_MIB, warmUpVolumesOf } from './batch-estate.js';
import { CONCURRENCY, type Measured, REPETITION_FACTOR_MAX } from './measure.js';
import { growthOf } from './memory.js';

const SUBJECTS = [
  { name: 'batch', of: ({ batch }: Pair): Measured => batch },
  { name: 'no-op workflows', of: ({ noops }: Pair): Measured => noops },
] as const;

export function rateTable(sizes: readonly Size[]): Table {
  return {
    titles: ['VOLUMES', 'SUBJECT', 'PER SECOND', 'MIN–MAX', 'TOOK', 'CPU EACH', 'OF IT', 'OTHERS'],
    rows: sizes.flatMap(({ volumes, pairs }) => SUBJECTS.map(({ name, of }) => rateRow(volumes, name, pairs.map(of)))),
  };
}

function rateRow(volumes: number, name: string, all: readonly Measured[]): string[] {
  const rate = spreadOf(all.map(({ perSecond }) => perSecond));
  const cpu = Object.keys(all[0]?.cpuMs ?? {}).map((process) => ({
    process,
    ms: medianOf(all.map(({ cpuMs }) => (cpuMs[process] ?? 0) / volumes)),
  }));
  const shown = cpu.filter(({ ms }) => ms >= 0.5).map(({ process, ms }) => `${process} ${ms.toFixed(1)}`);
  return [
    `${volumes}`,
    name,
    rate.median.toFixed(1),
    `${rate.min.toFixed(1)}–${rate.max.toFixed(1)}`,
    duration(medianOf(all.map(({ ms }) => ms))),
    `${cpu.reduce((sum, { ms }) => sum + ms, 0).toFixed(1)} ms`,
    shown.join(', '),
    `${medianOf(all.map(({ othersCores }) => othersCores)).toFixed(2)} cores`,
  ];
}

export function parentTable(sizes: readonly Size[]): Table {
  return {
    titles: ['VOLUMES', 'PARENT RUNS', 'EVENTS OF THE LONGEST', 'LARGEST HISTORY', 'MOVED', 'FAILED'],
    rows: sizes.flatMap(({ volumes, pairs }) =>
      pairs.map(({ batch: { parentRuns, counts } }) => [
        `${volumes}`,
        `${parentRuns.length}`,
        `${Math.max(...parentRuns.map(({ events }) => events))}`,
        bytes(Math.max(...parentRuns.map(({ historyBytes }) => historyBytes))),
        `${counts.moved}`,
        `${counts.failed}`,
      ]),
    ),
  };
}

/** Memory in the first repetition: later ones start with what the previous one left. */
export function memoryTable(sizes: readonly Size[]): Table {
  return {
    titles: ['VOLUMES', 'PROCESS, BATCH RUNNING', 'MEMORY AT START', 'MOST', 'AT END', 'LAST ÷ SECOND QUARTER'],
    rows: sizes.flatMap(({ volumes, pairs: [pair] }) =>
      Object.entries(pair?.batch.memory ?? {}).map(([process, samples]) => [
        `${volumes}`,
        process,
        bytes(samples[0] ?? 0),
        bytes(Math.max(...samples)),
        bytes(samples.at(-1) ?? 0),
        growthOf(samples)?.toFixed(3) ?? '–',
      ]),
    ),
  };
}

export function conditions(volumes: readonly number[]): string[] {
  return [
    `sizes: ${volumes.join(' and ')} sparse volumes of ${bytes(VOLUME_MIB * 1024 * 1024)} on one splitter, ${GROUP_VOLUMES} to a group; each group has a twin on the other of two appliances; nobody writes; a point of each group every ${POINT_EVERY_MS / 1_000} s`,
    'for each size a new Temporal server, a new estate with its worker and a new worker of the peer are started, each as its own process',
    `warm-up, not measured: ${volumes.map(warmUpVolumesOf).join(' and ')} moves of other volumes, and as many no-op workflows`,
    `then one batch takes every volume to its group’s twin, chosen by selector, ${CONCURRENCY} moves at once; from the call that starts it to its report, planning included`,
    `taking turns with it, as many workflows of five no-op activities on the same server, ${CONCURRENCY} at once: the driver starts one whenever one ends and awaits its result; they run in their own worker process with the same worker options`,
    `a smaller size is measured up to ${REPETITION_FACTOR_MAX} times as often as the largest, there and back, and the median counts`,
    'the dev server keeps its state in memory, with eager activities, as `npm run demo` starts it',
    'CPU each: CPU time of all processes, by process in ms, the driver included; memory: resident, sampled twice a second',
  ];
}

export const NOT_MEASURED = [
  'batches under guest load, with windows, limits by group or appliance, failures and retries, or several volumes a move',
  'a server with a database, several workers, several hosts (docs/scale.md estimates them)',
  'volumes of real sizes; groups of more members, of which each move’s point names every one',
];
