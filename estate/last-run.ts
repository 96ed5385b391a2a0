// A record, beside the data, of the processes that this launcher runs. When a launcher is killed
// and a process of it hangs, the next launcher finds that process. Processes that don't hang end by
// themselves.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isSameProcess, startOf } from './process-start.js';

const RECORD_FILE = 'launcher.json';
/** Longest wait for a killed launcher's processes to end, ms: they allow themselves 10 s. */
const LEAVE_MS_MAX = 15_000;
/** Longest wait after SIGKILL, ms. */
const GONE_MS_MAX = 5_000;
const POLL_INTERVAL_MS = 50;

const processSchema = z.object({ id: z.string(), pid: z.number().int().positive(), start: z.string() });
const recordSchema = z.object({ launcher: processSchema, processes: z.array(processSchema) });
type Recorded = z.infer<typeof processSchema>;

/** Writes the record. Failures are ignored: an estate must start on a full disk too. */
export function recordRun(
  dataDirectory: string,
  processes: readonly { readonly id: string; readonly pid: number | undefined }[],
): void {
  write(
    join(dataDirectory, RECORD_FILE),
    processes.flatMap(({ id, pid }) => recorded(id, pid) ?? []),
  );
}

/**
 * Waits until no process of an earlier run in this folder is left. Ends those that hang.
 * @throws Error when a launcher still runs there, or a process can't be ended
 */
export async function endLastRun(
  dataDirectory: string,
  print: (line: string) => void,
  leaveMsMax = LEAVE_MS_MAX,
): Promise<void> {
  const path = join(dataDirectory, RECORD_FILE);
  const { launcher, processes } = read(path) ?? { launcher: undefined, processes: [] };
  if (launcher !== undefined && launcher.pid !== process.pid && isSameProcess(launcher.pid, launcher.start))
    throw new Error(
      `An estate runs already in ${dataDirectory}: process ${launcher.pid}. Stop it with Ctrl-C in its terminal or kill ${launcher.pid}; or give this one another folder: npm start -- --data my-folder`,
    );
  // From here on the folder is this launcher's: another launcher is refused while this one waits.
  write(path, processes);
  if (stillThere(processes).length === 0) return;
  print(`The last run was killed. Waiting for its processes to end: ${named(stillThere(processes))} ...`);
  if (await areGoneWithin(leaveMsMax, processes)) return;
  print(`They hang, so they are ended with SIGKILL: ${named(stillThere(processes))}. What they stored is kept.`);
  for (const { pid } of stillThere(processes)) end(pid);
  if (await areGoneWithin(GONE_MS_MAX, processes)) return;
  throw new Error(
    `Processes of the last run are still there after SIGKILL: ${named(stillThere(processes))}. A process that waits for a dead disk ends when the disk answers. No data is lost; then start again.`,
  );
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process ended in the meantime.
  }
}

function write(path: string, processes: readonly Recorded[]): void {
  const launcher = recorded('launcher', process.pid);
  if (launcher === undefined) return;
  try {
    writeFileSync(`${path}.part`, JSON.stringify({ launcher, processes }));
    renameSync(`${path}.part`, path);
  } catch {
    // Without the record, a hanging process of a killed launcher shows up as a taken port.
  }
}

function recorded(id: string, pid: number | undefined): Recorded | undefined {
  const start = pid === undefined ? undefined : startOf(pid);
  return pid === undefined || start === undefined ? undefined : { id, pid, start };
}

function read(path: string): z.infer<typeof recordSchema> | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function stillThere(processes: readonly Recorded[]): Recorded[] {
  return processes.filter(({ pid, start }) => isSameProcess(pid, start));
}

async function areGoneWithin(ms: number, processes: readonly Recorded[]): Promise<boolean> {
  const deadlineMs = performance.now() + ms;
  while (stillThere(processes).length > 0) {
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_INTERVAL_MS);
  }
  return true;
}

function named(processes: readonly Recorded[]): string {
  return processes.map(({ id, pid }) => `${id} (process id ${pid})`).join(', ');
}
