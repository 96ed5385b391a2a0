// Memory of processes over time, and whether it stays flat.
import { residentBytesOf } from '../machine.js';
import { medianOf } from '../statistics.js';

/** Between two looks, ms: each reads one small file a process. */
const LOOK_EVERY_MS = 500;
/** A series that is shorter has no quarters to speak of. */
const LOOKS_MIN = 8;

/** By process, bytes, one value a look. */
export type MemorySeries = Readonly<Record<string, readonly number[]>>;

export interface MemoryWatch {
  /** What was seen up to now, and what is there now. */
  readonly series: () => MemorySeries;
  readonly stop: () => void;
}

export function watchMemory(processes: ReadonlyMap<string, number>): MemoryWatch {
  const seen = new Map([...processes.keys()].map((name): [string, number[]] => [name, []]));
  const look = (): void => {
    for (const [name, id] of processes) seen.get(name)?.push(residentBytesOf(id));
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    series: () => {
      look();
      return Object.fromEntries(seen);
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * The last quarter's median divided by the second quarter's; undefined when there are too few looks
 * to say.
 */
export function growthOf(looks: readonly number[]): number | undefined {
  if (looks.length < LOOKS_MIN) return undefined;
  const quarter = Math.floor(looks.length / 4);
  return medianOf(looks.slice(-quarter)) / medianOf(looks.slice(quarter, 2 * quarter));
}
