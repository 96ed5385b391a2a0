// The facts of the machine that make a number meaningful, and how busy other processes kept it.
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** Length of Linux's tick of CPU time, ms, whatever the kernel's own clock. */
const TICK_MS = 10;
const KIB = 1024;
const GIB = 1024 ** 3;
/** Field numbers in the first line of /proc/stat, after its name. */
const IDLE = 3;
const IO_WAIT = 4;
/** Field numbers in /proc/<pid>/stat, after the command in parentheses. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Mean number of runnable processes in the minute before the run. */
  readonly loadAtStart: number;
}

export function machineFacts(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / GIB),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    loadAtStart: loadavg()[0] ?? 0,
  };
}

/** CPU time that a living process has used, ms; 0 without /proc or without such a process. */
export function cpuMsOf(processId: number): number {
  const fields = readOrNothing(`/proc/${processId}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[USER_TICKS] ?? 0) + Number(fields[SYSTEM_TICKS] ?? 0)) * TICK_MS;
}

/** Resident memory of a living process, bytes; 0 without /proc or without such a process. */
export function residentBytesOf(processId: number): number {
  const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readOrNothing(`/proc/${processId}/status`)) ?? [];
  return Number(kibibytes) * KIB;
}

/** CPU time that the whole machine has used, all cores together, ms; 0 without /proc. */
export function busyMs(): number {
  const [line = ''] = readOrNothing('/proc/stat').split('\n', 1);
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, count, field) => (field === IDLE || field === IO_WAIT ? sum : sum + count), 0) * TICK_MS;
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
