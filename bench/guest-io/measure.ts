// One run against one subject: fio writes for a while; then how far the second copy is behind, and
// how long it needs to catch up.
import { setTimeout as delay } from 'node:timers/promises';
import { busyMs, cpuMsOf } from '../machine.js';
import { write, type Written } from './fio.js';
import type { RunningSubject, SecondCopy } from './subject.js';

export const GUEST_BLOCK_BYTES = 4096;
const PREFILL_BLOCK_BYTES = 1024 * 1024;
const PREFILL_DEPTH = 4;
/** Enough for every hot path to be compiled. */
const WARM_UP_S = 2;
/** Longest wait until nothing is behind any more, ms. */
const CATCH_UP_MS_MAX = 60_000;
const POLL_MS = 10;
/**
 * How often one looks how far behind the second copy is during a run, ms; a look costs the product
 * a millisecond or two.
 */
const LOOK_EVERY_MS = 500;

export interface RunOptions {
  readonly depth: number;
  readonly seconds: number;
  readonly sizeBytes: number;
  readonly seed: number;
  /** For fio's report. */
  readonly folder: string;
}

export interface Run extends Omit<Written, 'cpuMs'> {
  readonly iops: number;
  /** Acknowledged bytes that the second copy lacked when the last write was acknowledged. */
  readonly behindBytes: number;
  /** The most it lacked at any look. */
  readonly behindBytesMax: number;
  /** From the last acknowledgement until nothing was behind. */
  readonly catchUpMs: number;
  /**
   * Whether the order of writes was given up for marks: the guest was faster than what follows it.
   */
  readonly fellBack: boolean;
  /**
   * Writes a second, the time to catch up counted: what a run that only filled a buffer would not
   * have. 0 when it fell back.
   */
  readonly sustainedIops: number;
  /** CPU time by process, fio included, until nothing was behind. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Cores that others on this machine kept busy meanwhile: the noise. */
  readonly othersCores: number;
}

/**
 * Writes every block once, so that no run allocates any; then warms up, at the depth of what
 * follows.
 */
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

/** @throws Error when a write fails, or the subject stops doing its job */
export async function measure(subject: RunningSubject, options: RunOptions): Promise<Run> {
  const { depth, seconds, sizeBytes, seed, folder } = options;
  const startedAtMs = performance.now();
  const busyAtStartMs = busyMs();
  const cpuAtStart = cpuByProcess(subject);
  const ownAtStart = process.cpuUsage();

  const before = await subject.secondCopy();
  const looking = new AbortController();
  const looks = look(subject, looking.signal);
  let written: Written;
  try {
    const load = { pattern: 'randwrite', blockBytes: GUEST_BLOCK_BYTES, depth, sizeBytes, seconds, seed } as const;
    written = await write({ uri: subject.uri, ...load }, folder);
  } finally {
    looking.abort();
  }
  const endedAtMs = performance.now();
  const behindBytesMax = await looks;
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

/** Until nothing is behind, and what was given up for marks was sent again. */
async function catchUp(subject: RunningSubject): Promise<SecondCopy> {
  const giveUpAtMs = performance.now() + CATCH_UP_MS_MAX;
  for (;;) {
    const copy = await subject.secondCopy();
    if (copy.behindBytes === 0 && copy.inOrder) return copy;
    if (performance.now() > giveUpAtMs)
      throw new Error(`Still ${copy.behindBytes} bytes behind after ${CATCH_UP_MS_MAX} ms.`);
    await delay(POLL_MS);
  }
}

/** The most that was behind at any look until the signal. */
async function look(subject: RunningSubject, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    most = Math.max(most, (await subject.secondCopy()).behindBytes);
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return most;
}

function cpuByProcess({ processes }: RunningSubject): Record<string, number> {
  return Object.fromEntries([...processes].map(([name, id]) => [name, cpuMsOf(id)]));
}

function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)]));
}
