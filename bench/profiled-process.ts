// Preloaded into a profiled process: writes its CPU profile and its counts of control calls when it
// ends. (Node refuses --cpu-prof in NODE_OPTIONS.)
import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { isMainThread, threadId } from 'node:worker_threads';
import { z } from 'zod';

const messageSchema = z.object({
  // The origin is a string or a URL.
  request: z.object({ method: z.string(), path: z.string(), origin: z.coerce.string() }),
});

const folder = process.env['VOLUME_MOVER_BENCH_PROFILE'];
const processName = process.env['VOLUME_MOVER_ID'] ?? `process-${process.pid}`;
/** The thread's name: Temporal runs workflows in threads of the worker. */
const id = isMainThread ? processName : `${processName}-thread-${threadId}`;
if (folder !== undefined) {
  profileCpu(join(folder, `${id}.cpuprofile`));
  countCalls(join(folder, `${id}.calls.json`));
}

function profileCpu(path: string): void {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.once('exit', () => {
    session.post('Profiler.stop', (error, { profile }) => {
      if (error === null) writeFileSync(path, JSON.stringify(profile));
    });
  });
}

function countCalls(path: string): void {
  const counts = new Map<string, number>();
  subscribe('undici:request:create', (message) => {
    const { data } = messageSchema.safeParse(message);
    if (data === undefined) return;
    const { method, path: target, origin } = data.request;
    const [route] = target.split('?', 1);
    const key = `${method} ${origin}${route}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  process.once('exit', () => {
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    writeFileSync(path, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
  });
}
