// Reads the line of JSON that a process prints on standard output once it serves.
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const readySchema = z.object({
  ready: z.literal(true),
  role: z.string(),
  id: z.string(),
  /** Base URL of its control API or health check. */
  url: z.string(),
  /** NBD addresses, if the process serves NBD. */
  nbd: z.object({ host: z.string(), port: z.number().int(), socket: z.string().optional() }).optional(),
});
export type Ready = z.infer<typeof readySchema>;

/** Calls back with the first ready line. Drops other lines, so that the process never blocks. */
export function onReadyLine(stdout: Readable, callback: (ready: Ready) => void): void {
  let found = false;
  createInterface({ input: stdout }).on('line', (line) => {
    if (found) return;
    const ready = parse(line);
    if (ready === undefined) return;
    found = true;
    callback(ready);
  });
}

function parse(line: string): Ready | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return readySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
