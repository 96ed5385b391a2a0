// The streams that are open: each ends when its caller is no longer let in. A call is looked at
// when it comes; a stream stays open for days.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { STREAM_ROLES } from '../../contracts/replica-site-api.js';
import type { Admission } from './admission.js';
import type { Rule } from './gate.js';

const RULE: Rule = { operation: 'stream', roles: STREAM_ROLES };

export class OpenStreams {
  readonly #admission: Admission;
  readonly #log: Logger;
  readonly #open = new Map<Duplex, IncomingMessage>();

  constructor(admission: Admission, log: Logger) {
    this.#admission = admission;
    this.#log = log;
  }

  /**
   * Lets a stream in, and follows it until it closes.
   * @throws MoverError UNAUTHORIZED, FORBIDDEN
   */
  admit(request: IncomingMessage, socket: Duplex): void {
    this.#admission.admit(request, RULE);
    this.#admission.opened(request, RULE);
    this.#open.set(socket, request);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Ends the streams of callers that would not be let in now. */
  check(): void {
    for (const [socket, request] of this.#open) {
      try {
        this.#admission.admit(request, RULE);
      } catch (err) {
        this.#log.warn({ err }, 'a stream is ended: its caller is not let in any more');
        socket.destroy();
      }
    }
  }
}
