// Runs a share of the simulation over worker processes. A process that dies or hangs breaks the run
// that it was at, and no other.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunFacts } from './facts.js';
import { runOf, type Share } from './share.js';
import type { Order } from './worker-process.js';

const WORKER = fileURLToPath(new URL('worker-process.js', import.meta.url));
/** Runs ordered at once: a worker rarely waits for the next order, and none is left with many. */
const RUNS_PER_ORDER = 10;
/** A run takes milliseconds. One that takes this long, in ms, never ends. */
const HANG_MS = 300_000;

/**
 * Makes all runs of a share.
 * @param onRun gets the facts of each run, in the order in which they end
 */
export async function runShare(share: Share, workers: number, onRun: (facts: RunFacts) => void): Promise<void> {
  let next = 0;
  const take = (): { readonly from: number; readonly to: number } => {
    const from = next;
    next = Math.min(share.runs, from + RUNS_PER_ORDER);
    return { from, to: next };
  };
  const work = async (): Promise<void> => {
    for (let order = take(); order.from < order.to;) {
      const done = await workerLife(share, order, take, onRun);
      if (done === undefined) return;
      // The worker died at this run.
      const { mix, seed } = runOf(share, done.at);
      onRun({ ...NOTHING, mix, seed, broken: `seed ${seed}: the worker process ${done.why}` });
      order = done.at + 1 < done.to ? { from: done.at + 1, to: done.to } : take();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, share.runs) }, work));
}

const NOTHING: Omit<RunFacts, 'mix' | 'seed'> = {
  moves: new Map(),
  writes: 0,
  reads: 0,
  points: 0,
  faults: new Map(),
  reached: new Map(),
  virtualMs: 0,
  cpuMs: 0,
};

interface Death {
  /** Number of the run that the worker was at. */
  readonly at: number;
  /** End of its order. */
  readonly to: number;
  readonly why: string;
}

/** One worker process, from its first order until nothing is left to do or until it dies. */
async function workerLife(
  share: Share,
  first: { readonly from: number; readonly to: number },
  take: () => { readonly from: number; readonly to: number },
  onRun: (facts: RunFacts) => void,
): Promise<Death | undefined> {
  // Maps arrive as maps.
  const worker: ChildProcess = fork(WORKER, { serialization: 'advanced', execArgv: process.execArgv });
  return await new Promise((resolve, reject) => {
    let at = first.from;
    let { to } = first;
    let hung = false;
    const hang = setTimeout(() => {
      hung = true;
      worker.kill('SIGKILL');
    }, HANG_MS);
    const order = (from: number): void => {
      worker.send({ share, from, to } satisfies Order);
    };
    worker.on('message', (facts: RunFacts) => {
      hang.refresh();
      onRun(facts);
      at += 1;
      if (at < to) return;
      ({ from: at, to } = take());
      if (at < to) order(at);
      else worker.disconnect();
    });
    // A worker that is gone meanwhile counts as one that died.
    worker.on('error', (error) => (worker.pid === undefined ? reject(error) : worker.kill('SIGKILL')));
    worker.once('exit', (code, signal) => {
      clearTimeout(hang);
      if (at >= to) resolve(undefined);
      else resolve({ at, to, why: hung ? `did not end in ${HANG_MS / 1_000} s` : `ended (${signal ?? code})` });
    });
    order(at);
  });
}
