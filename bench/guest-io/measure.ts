// One run against one subject: fio writes for a while; then the run measures how far the second
// copy is behind and how long it needs to catch up.
import { setTimeout as delay } from 'node:timers/promises';
import { busyMs, cpuMsOf } from '../machine.js';
import { write, type Written } from './fio.js';
import type { RunningSubject, SecondCopy } from './subject.js';

export const GUEST_BLOCK_BYTES = 4096;
const PREFILL_BLOCK_BYTES = 1024 * 1024;
const PREFILL_DEPTH = 4;
/** Length of the warm-up, s: enough to compile every hot path. */
const WARM_UP_S = 2;
/** Longest wait until the second copy has caught up, ms. */
const CATCH_UP_MS_MAX = 60_000;
const POLL_MS = 10;
/**
 * Pause between two samples of how far the second copy is behind, ms; a sample costs the product a
 * millisecond or two.
 */
const SAMPLE_EVERY_MS = 500;

export interface RunOptions {
  readonly depth: number;
  readonly seconds: number;
  readonly sizeBytes: number;
  readonly seed: number;
  /** Folder for fio's report. */
  readonly folder: string;
}

export interface Run extends Omit<Written, 'cpuMs'> {
  readonly iops: number;
  /** Acknowledged bytes that the second copy lacked when the last write was acknowledged. */
  readonly behindBytes: number;
  /** The largest value of any sample. */
  readonly behindBytesMax: number;
  /** Time from the last acknowledgement until the second copy had caught up, ms. */
  readonly catchUpMs: number;
  /** Whether the order of writes was given up for marks: the guest outran the second copy. */
  readonly fellBack: boolean;
  /**
   * Writes a second including the time to catch up, so that a run that only fills a buffer gains
   * nothing. 0 when it fell back to marks.
   */
  readonly sustainedIops: number;
  /** CPU time, ms, keyed by process, fio included, until the second copy had caught up. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Cores that other processes on this machine kept busy during the run: the noise. */
  readonly othersCores: number;
}

/** Writes every block once, so that no run allocates any, then warms up. */
export async function prepare(subject: RunningSubject, sizeBytes: number, folder: string): Promise<void> {
  const { uri } = subject;
  const common = { uri, sizeBytes, seed: 1 };
  await write({ ...common, pattern: 'write', blockBytes: PREFILL_BLOCK_BYTES, depth: PREFILL_DEPTH }, folder);
  await catchUp(subject);
  await write(
    { ...common, pattern: 'randwrite', blockBytes: GUEST_BLOCK_BYTES, depth: 32, seconds: WARM_UP_S },
    folder,
  );
  await catchUp(subject);
}

/** Measures one run. @throws Error when a write fails or the subject stops working */
export async function measure(subject: RunningSubject, options: RunOptions): Promise<Run> {
  const { depth, seconds, sizeBytes, seed, folder } = options;
  const startedAtMs = performance.now();
  const busyAtStartMs = busyMs();
  const cpuAtStart = cpuByProcess(subject);
  const ownAtStart = process.cpuUsage();

  const before = await subject.secondCopy();
  const sampling = new AbortController();
  const samples = sampleBehind(subject, sampling.signal);
  let written: Written;
  try {
    const load = { pattern: 'randwrite', blockBytes: GUEST_BLOCK_BYTES, depth, sizeBytes, seconds, seed } as const;
    written = await write({ uri: subject.uri, ...load }, folder);
  } finally {
    sampling.abort();
  }
  const endedAtMs = performance.now();
  const behindBytesMax = await samples;
  const { behindBytes } = await subject.secondCopy();
  const after = await catchUp(subject);
  const catchUpMs = behindBytes === 0 ? 0 : performance.now() - endedAtMs;
  const fellBack = after.resentBytes > before.resentBytes;

  const cpuMs = { fio: written.cpuMs, ...difference(cpuByProcess(subject), cpuAtStart) };
  const own = process.cpuUsage(ownAtStart);
  const knownMs = Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0) + (own.user + own.system) / 1_000;
  const othersMs = Math.max(0, busyMs() - busyAtStartMs - knownMs);
  return {
    ...written,
    iops: (written.writes * 1_000) / written.ms,
    behindBytes,
    behindBytesMax: Math.max(behindBytesMax, behindBytes),
    catchUpMs,
    fellBack,
    sustainedIops: fellBack ? 0 : (written.writes * 1_000) / (written.ms + catchUpMs),
    cpuMs,
    othersCores: othersMs / (performance.now() - startedAtMs),
  };
}

/** Waits until the second copy has caught up and marked regions were sent again. */
async function catchUp(subject: RunningSubject): Promise<SecondCopy> {
  const deadlineMs = performance.now() + CATCH_UP_MS_MAX;
  for (;;) {
    const copy = await subject.secondCopy();
    if (copy.behindBytes === 0 && copy.inOrder) return copy;
    if (performance.now() > deadlineMs)
      throw new Error(`Still ${copy.behindBytes} bytes behind after ${CATCH_UP_MS_MAX} ms.`);
    await delay(POLL_MS);
  }
}

/** The most that the second copy was behind at any sample before the signal. */
async function sampleBehind(subject: RunningSubject, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    most = Math.max(most, (await subject.secondCopy()).behindBytes);
    await delay(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return most;
}

function cpuByProcess({ processes }: RunningSubject): Record<string, number> {
  return Object.fromEntries([...processes].map(([name, id]) => [name, cpuMsOf(id)]));
}

function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)]));
}
