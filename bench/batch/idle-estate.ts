// Starts an estate and measures it while nothing is done: how long each process takes, what it
// keeps in memory, what it goes on computing.
import { setTimeout as delay } from 'node:timers/promises';
import { createHttpPorts } from '../../control/http-ports.js';
import { launchEstate, type LaunchOptions, type RunningEstate } from '../../estate/launch.js';
import { cpuMsOf, residentBytesOf } from '../machine.js';

/** Between two looks at whether all volumes are protected, ms: each look lists all of them. */
const LOOK_EVERY_MS = 500;
/** Longest wait for that, ms. */
const PROTECTED_MS_MAX = 300_000;
/** How long idle CPU is measured, ms: long enough to have some points closed. */
export const IDLE_MS = 10_000;

export interface IdleProcess {
  readonly id: string;
  /** From the spawn of its stage to its ready line, ms. */
  readonly startMs: number;
  /** In RAM once all volumes are protected and nothing happens, bytes. */
  readonly residentBytes: number;
  /** CPU time in one second of doing nothing, ms. */
  readonly cpuMsPerSecond: number;
}

export interface IdleEstate {
  readonly running: RunningEstate;
  /** In the order of their start. */
  readonly processes: readonly IdleProcess[];
  /**
   * From the first spawn until every volume's stream was up and in sync, ms; looked at twice a
   * second.
   */
  readonly protectedMs: number;
}

/**
 * @throws Error when anything does not start, or a volume is not protected in 5 min; all is stopped
 * again then
 */
export async function launchIdleEstate(options: Omit<LaunchOptions, 'log'>): Promise<IdleEstate> {
  const startedAtMs = performance.now();
  const readyAtMs: number[] = [];
  // A line for each process that is ready, in the order of `processes`; those of one stage
  // together.
  const running = await launchEstate({ ...options, log: () => readyAtMs.push(performance.now()) });
  try {
    await untilProtected(running);
    const protectedMs = performance.now() - startedAtMs;
    return { running, protectedMs, processes: await measureIdle(running, startTimes(running, startedAtMs, readyAtMs)) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

/** A stage holds the processes of one role, and begins when the one before is ready. */
function startTimes({ processes }: RunningEstate, startedAtMs: number, readyAtMs: readonly number[]): number[] {
  let beganAtMs = startedAtMs;
  return processes.map(({ spec }, i) => {
    const before = processes[i - 1];
    if (before !== undefined && before.spec.role !== spec.role) beganAtMs = readyAtMs[i - 1] ?? beganAtMs;
    return (readyAtMs[i] ?? beganAtMs) - beganAtMs;
  });
}

async function untilProtected({ estate }: RunningEstate): Promise<void> {
  const { splitters } = createHttpPorts(estate);
  const deadlineMs = performance.now() + PROTECTED_MS_MAX;
  for (;;) {
    const inventories = await Promise.all([...splitters.values()].map(async ({ calls }) => calls.inventory({})));
    const volumes = inventories.flatMap((inventory) => inventory.volumes);
    const waiting = volumes.filter(({ connected, mode }) => !connected || mode !== 'SYNCED');
    if (waiting.length === 0) return;
    if (performance.now() > deadlineMs)
      throw new Error(`${waiting.length} of ${volumes.length} volumes are not protected after ${PROTECTED_MS_MAX} ms.`);
    await delay(LOOK_EVERY_MS);
  }
}

async function measureIdle({ processes }: RunningEstate, startMs: readonly number[]): Promise<IdleProcess[]> {
  const cpu = (): number[] => processes.map(({ pid }) => (pid === undefined ? 0 : cpuMsOf(pid)));
  const before = cpu();
  await delay(IDLE_MS);
  const after = cpu();
  return processes.map(({ id, pid }, i) => ({
    id,
    startMs: startMs[i] ?? 0,
    residentBytes: pid === undefined ? 0 : residentBytesOf(pid),
    cpuMsPerSecond: (((after[i] ?? 0) - (before[i] ?? 0)) * 1_000) / IDLE_MS,
  }));
}
