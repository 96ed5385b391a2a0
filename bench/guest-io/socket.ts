// Waits for a program to listen that prints no ready line.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../child.js';

/** Longest wait, ms: these servers listen within 50 ms. */
const LISTEN_MS_MAX = 10_000;
const POLL_MS = 10;

/** The URI of an export for fio and libnbd. */
export function nbdUri(socket: string, name: string): string {
  return `nbd+unix:///${name}?socket=${socket}`;
}

/**
 * Connects as soon as the program listens.
 * @throws Error when the program ends first or doesn't listen within 10 s
 */
export async function connectWhenListening(path: string, program: Program): Promise<Socket> {
  const deadlineMs = performance.now() + LISTEN_MS_MAX;
  let hasEnded = false;
  void program.ended.then(() => (hasEnded = true));
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (cause) {
      socket.destroy();
      if (hasEnded) throw new Error(`The server of ${path} ended: ${program.lastOutput()}`, { cause });
      if (performance.now() > deadlineMs)
        throw new Error(`Nothing listens on ${path} after ${LISTEN_MS_MAX} ms.`, { cause });
      await delay(POLL_MS);
    }
  }
}
