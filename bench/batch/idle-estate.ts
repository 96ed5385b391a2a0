// Starts an estate and measures it idle: each process's start time, memory and CPU.
import { setTimeout as delay } from 'node:timers/promises';
import { createHttpPorts } from '../../control/http-ports.js';
import { launchEstate, type LaunchOptions, type RunningEstate } from '../../estate/launch.js';
import { cpuMsOf, residentBytesOf } from '../machine.js';

/** Pause between two checks whether all volumes are protected, ms: each check lists all of them. */
const CHECK_EVERY_MS = 500;
/** Longest wait until all volumes are protected, ms. */
const PROTECTED_MS_MAX = 300_000;
/** How long idle CPU is measured, ms: long enough for some points to be closed. */
export const IDLE_MS = 10_000;

export interface IdleProcess {
  readonly id: string;
  /** Time from the spawn of its stage to its ready line, ms. */
  readonly startMs: number;
  /** Resident memory once all volumes are protected and nothing happens, bytes. */
  readonly residentBytes: number;
  /** CPU time used per second when idle, ms. */
  readonly cpuMsPerSecond: number;
}

export interface IdleEstate {
  readonly running: RunningEstate;
  /** Processes in start order. */
  readonly processes: readonly IdleProcess[];
  /** Time from the first spawn until every volume was in sync, ms; checked twice a second. */
  readonly protectedMs: number;
}

/**
 * Starts the estate and measures it.
 * @throws Error when a process doesn't start or a volume isn't protected within 5 min; everything
 * is then stopped
 */
export async function launchIdleEstate(options: Omit<LaunchOptions, 'log'>): Promise<IdleEstate> {
  const startedAtMs = performance.now();
  const readyAtMs: number[] = [];
  // `log` gets one line per ready process, in the order of `processes`; the lines of a stage come
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

/**
 * Each process's start time, ms. A stage holds the processes of one role, and starts when the
 * previous one is ready.
 */
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
    await delay(CHECK_EVERY_MS);
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
