// A detour between the callers of a control API and the process that serves it: calls can be held
// up on the way, as a slow network would, and are remembered, so that late duplicates of them can
// be sent. Streams and everything else just pass.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { MoverError, toProblem } from '../../contracts/errors.js';
import { PATIENCE_MS, within } from './until.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A change that was asked for, and how it was answered. */
export interface ControlCall {
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly answer: unknown;
}

const attemptedSchema = z.object({ attempt: z.object({ move: z.string() }) });

/** Stands in the way of calls. */
export interface Gate {
  /**
   * Resolves when the call may go on to where it is sent.
   * @throws MoverError with which the call is answered instead; any other Error for a connection
   * that ends
   */
  pass(path: string, body: string): Promise<void>;
  /** Lets everything through from now on. */
  release(): void;
}

/** Holds up every call of an operation for one workflow's moves, before it arrives. */
export class Hold implements Gate {
  readonly #path: string;
  readonly #workflowId: string;
  readonly #reached = signal();
  readonly #released = signal();

  /** @param path of the operation, e.g. `/v1/attempts/seal` */
  constructor(path: string, workflowId: string) {
    this.#path = path;
    this.#workflowId = workflowId;
  }

  /** Resolves when the first call has got there. */
  async reached(): Promise<void> {
    await within(`A call of ${this.#path} by ${this.#workflowId}`, PATIENCE_MS, this.#reached.given);
  }

  /** Lets the calls held up arrive, and every later one pass. */
  release(): void {
    this.#released.give();
  }

  /** Resolves when the call may pass. */
  async pass(path: string, body: string): Promise<void> {
    if (path !== this.#path || !isOf(this.#workflowId, body)) return;
    this.#reached.give();
    await this.#released.given;
  }
}

export class ControlDetour {
  readonly calls: ControlCall[] = [];
  readonly #target: Address;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #gates: readonly Gate[] = [];
  #url = '';

  constructor(target: Address) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));
    this.#server.on('upgrade', (incoming, socket, head) => this.#tunnel(incoming, socket, head));
    this.#server.on('connection', (socket) => this.#sockets.add(socket));
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The detour listens nowhere.');
    this.#url = `http://127.0.0.1:${address.port}`;
  }

  hold(gate: Gate): void {
    this.#gates = [...this.#gates, gate];
  }

  async stop(): Promise<void> {
    for (const gate of this.#gates) gate.release();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      const body = await textOf(incoming);
      const path = incoming.url ?? '';
      for (const gate of this.#gates) await gate.pass(path, body);
      const { status, text } = await this.#forward(incoming, body);
      if (incoming.method === 'POST') this.calls.push({ path, body, status, answer: JSON.parse(text) });
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(text);
    } catch (error) {
      if (error instanceof MoverError) refuse(outgoing, error);
      // Whoever called sees the connection end, as with a process that is gone.
      else outgoing.destroy();
    }
  }

  /** Arrives even when the caller is gone meanwhile, as what is in a network does. */
  async #forward(incoming: IncomingMessage, body: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { method, url: path, headers } = incoming;
      request({ ...this.#target, method, path, headers, agent: false }, resolve)
        .on('error', reject)
        .end(body);
    });
    return { status: answer.statusCode ?? 0, text: await textOf(answer) };
  }

  #tunnel(incoming: IncomingMessage, near: Duplex, head: Buffer): void {
    const far = connect(this.#target.port, this.#target.host);
    const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2)
      lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
    far.write(`${lines.join('\r\n')}\r\n\r\n`);
    far.write(head);
    near.pipe(far).pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const)
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
  }
}

function refuse(outgoing: ServerResponse, error: MoverError): void {
  const problem = toProblem(error);
  outgoing.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
}

function isOf(workflowId: string, body: string): boolean {
  if (body === '') return false;
  const parsed = attemptedSchema.safeParse(JSON.parse(body));
  return parsed.success && parsed.data.attempt.move.startsWith(`${workflowId}@`);
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(z.instanceof(Buffer).parse(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}
