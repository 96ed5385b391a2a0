// Runs one benchmark in its own folder, and removes that even after a failure or an interrupt.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, BenchRun } from './bench.js';
import { busyMs, machineFacts } from './machine.js';
import type { BenchReport } from './report-text.js';

/**
 * Runs a benchmark.
 * @throws Error of the benchmark, or Error when interrupted. Everything started for it is then
 * stopped.
 */
export async function runBench(bench: Bench, given: Omit<BenchRun, 'folder'>): Promise<BenchReport> {
  const machine = machineFacts();
  const startedAt = new Date().toISOString();
  const startedAtMs = performance.now();
  const busyAtStartMs = busyMs();
  const folder = await mkdtemp(join(tmpdir(), 'vm-bench-'));
  const interrupt = onceInterrupted();
  try {
    const result = await Promise.race([bench.run({ ...given, folder }), interrupt.rejection]);
    const tookMs = performance.now() - startedAtMs;
    const busyCores = (busyMs() - busyAtStartMs) / tookMs;
    const { repetitions } = given;
    return { bench: bench.name, startedAt, tookMs: Math.round(tookMs), repetitions, machine, busyCores, ...result };
  } finally {
    interrupt.release();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Interrupt {
  readonly rejection: Promise<never>;
  readonly release: () => void;
}

/**
 * Rejects on SIGINT or SIGTERM. Children end with this process, however it ends: their standard
 * input closes or their parent dies.
 */
function onceInterrupted(): Interrupt {
  let reject: (error: Error) => void = () => undefined;
  const rejection = new Promise<never>((_resolve, rejectWith) => {
    reject = rejectWith;
  });
  rejection.catch(() => undefined);
  const interrupt = (): void => reject(new Error('Interrupted.'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  return {
    rejection,
    release: () => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}
