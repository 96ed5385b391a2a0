// Memory of processes over time, and whether it stays flat.
import { residentBytesOf } from '../machine.js';
import { medianOf } from '../statistics.js';

/** Pause between two samples, ms: each reads one small file per process. */
const SAMPLE_EVERY_MS = 500;
/** Fewest samples of a series that can be split into quarters. */
const SAMPLES_MIN = 8;

/** Resident bytes, one value per sample, keyed by process. */
export type MemorySeries = Readonly<Record<string, readonly number[]>>;

export interface MemoryWatch {
  /** All samples so far, plus one taken now. */
  readonly series: () => MemorySeries;
  readonly stop: () => void;
}

export function watchMemory(processes: ReadonlyMap<string, number>): MemoryWatch {
  const seen = new Map([...processes.keys()].map((name): [string, number[]] => [name, []]));
  const sample = (): void => {
    for (const [name, id] of processes) seen.get(name)?.push(residentBytesOf(id));
  };
  sample();
  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  return {
    series: () => {
      sample();
      return Object.fromEntries(seen);
    },
    stop: () => clearInterval(timer),
  };
}

/** The last quarter's median divided by the second quarter's; undefined with too few samples. */
export function growthOf(samples: readonly number[]): number | undefined {
  if (samples.length < SAMPLES_MIN) return undefined;
  const quarter = Math.floor(samples.length / 4);
  return medianOf(samples.slice(-quarter)) / medianOf(samples.slice(quarter, 2 * quarter));
}
