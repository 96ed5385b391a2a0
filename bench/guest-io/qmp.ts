// QEMU's machine protocol: lines of JSON, one answer per command in order, events in between.
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const answerSchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
]);

interface Waiting {
  readonly command: string;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Qmp {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on('line', (line) => this.#take(JSON.parse(line)));
    // A socket error closes it, which rejects whoever waits for an answer.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { command, reject } of this.#waiting.splice(0)) reject(new Error(`${command}: the monitor is gone.`));
    });
  }

  static async negotiate(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.run('qmp_capabilities');
    return qmp;
  }

  /** Runs a command. @throws Error with QEMU's message when it refuses, or if it is gone */
  async run(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Takes a line; the greeting and events aren't answers and are dropped. */
  #take(message: unknown): void {
    const { data } = answerSchema.safeParse(message);
    if (data === undefined) return;
    const waiting = this.#waiting.shift();
    if ('error' in data) waiting?.reject(new Error(`${waiting.command}: ${data.error.desc}`));
    else waiting?.resolve(data.return);
  }
}
