// Formats values for people: sizes, times, durations.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const STEP = 1024;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/** A size. @example "0 B", "1.5 KiB", "64 MiB" */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= STEP && unit < UNITS.length - 1) {
    value /= STEP;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A duration. @example "0.4 ms", "38 ms", "1.5 s", "2 min 5 s", "15 h 27 min", "3 d 4 h" */
export function duration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / SECOND_MS);
  if (seconds < 60) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / MINUTE_MS);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A UTC time with milliseconds; `--at` accepts it. */
export function time(ms: number): string {
  return new Date(ms).toISOString();
}

/** A count with its noun. @example "1 point", "25,000 points" */
export function counted(count: number, one: string): string {
  return `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`;
}

const PERIODS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

/** A period in the largest unit that divides it. @example "90m", "1h", "28d" */
export function period(ms: number): string {
  const [unitMs, name] = PERIODS.find(([unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? [1, 'ms'];
  return `${ms / unitMs}${name}`;
}
