// One measurement: a number of workflows at a given concurrency, from the first start to the last
// end.
import { busyMs, cpuMsOf } from '../machine.js';
import { medianOf } from '../statistics.js';
import type { Testbed } from './testbed.js';
import type { Work } from './work.js';

export interface BatchOptions {
  readonly concurrency: number;
  readonly count: number;
}

export interface Batch {
  readonly count: number;
  readonly ms: number;
  readonly perSecond: number;
  /** Time of one workflow, from its start to its result. */
  readonly medianMs: number;
  readonly worstMs: number;
  /** CPU time, ms, keyed by process; `driver` is this process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Cores that other processes on this machine kept busy during the measurement: the noise. */
  readonly othersCores: number;
}

/** Runs the workflows. @throws Error of a failing workflow; those still running aren't awaited */
export async function measureBatch(
  { processes }: Pick<Testbed, 'processes'>,
  work: Work,
  { concurrency, count }: BatchOptions,
): Promise<Batch> {
  const busyAtStartMs = busyMs();
  const cpuAtStart = cpuOf(processes);
  const latencies: number[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const startedAtMs = performance.now();
      await work();
      latencies.push(performance.now() - startedAtMs);
    }
  };
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, lane));
  const ms = performance.now() - startedAtMs;

  const cpuAtEnd = cpuOf(processes);
  const cpuMs = Object.fromEntries(Object.entries(cpuAtEnd).map(([name, at]) => [name, at - (cpuAtStart[name] ?? 0)]));
  const knownMs = Object.values(cpuMs).reduce((sum, spent) => sum + spent, 0);
  return {
    count,
    ms,
    perSecond: (count * 1_000) / ms,
    medianMs: medianOf(latencies),
    worstMs: Math.max(...latencies),
    cpuMs,
    othersCores: Math.max(0, busyMs() - busyAtStartMs - knownMs) / ms,
  };
}

function cpuOf(processes: Testbed['processes']): Record<string, number> {
  return Object.fromEntries([...processes].map(([name, id]) => [name, cpuMsOf(id)]));
}
