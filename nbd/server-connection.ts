// One client's connection to the server, from the greeting until its device is closed.
import type { Socket } from 'node:net';
import type { ExportDirectory, NbdPeer } from './block-device.js';
import { NbdDisconnected } from './errors.js';
import type { NbdLimits } from './limits.js';
import type { ServerMemory } from './memory.js';
import { ServerHandshake } from './server-handshake.js';
import type { OpenedExport, TlsTerms } from './server-handshake.js';
import { Transmission } from './transmission.js';
import type { TransmissionEvents } from './transmission.js';

/** The part of a logger (pino's shape) that the server needs. */
export interface NbdLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ServerConnectionOptions {
  readonly socket: Socket;
  readonly exports: ExportDirectory;
  readonly peer: NbdPeer;
  readonly limits: NbdLimits;
  readonly memory: ServerMemory;
  readonly tls: TlsTerms;
  readonly log: NbdLog;
}

export class ServerConnection {
  /** Settles once the socket and the device are closed. Never rejects. */
  readonly closed: Promise<void>;
  readonly #options: ServerConnectionOptions;
  /** The socket; once TLS is agreed on, the one over it. */
  #socket: Socket;
  #transmission: Transmission | undefined;
  #ending = false;
  #deviceFailureLogged = false;

  constructor(options: ServerConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    // An error event without a listener ends the process. `close` follows the error.
    options.socket.on('error', (error) => this.#debug(error, 'connection lost'));
    this.closed = this.#serve().catch((error: unknown) => this.#warn(error, 'connection failed'));
  }

  /** Whether the client hasn't opened an export yet. */
  get isNegotiating(): boolean {
    return this.#transmission === undefined;
  }

  /** Ends the connection: during the handshake at once, otherwise after the requests in flight. */
  end(): void {
    this.#ending = true;
    if (this.#transmission === undefined) this.#socket.destroy();
    else this.#transmission.end();
    this.#cutAfterLingering();
  }

  async #serve(): Promise<void> {
    try {
      const opened = await this.#negotiate();
      if (opened !== undefined) await this.#transmit(opened);
    } catch (error) {
      if (error instanceof NbdDisconnected) this.#debug(error, 'client left');
      else throw error;
    } finally {
      await this.#closeSocket(this.#socket);
    }
  }

  async #negotiate(): Promise<OpenedExport | undefined> {
    const deadline = setTimeout(() => this.#socket.destroy(), this.#options.limits.handshakeMsMax);
    const onSecure = (secure: Socket): void => {
      this.#socket = secure;
      secure.on('error', (error) => this.#debug(error, 'connection lost'));
    };
    try {
      return await new ServerHandshake({ ...this.#options, onSecure }).negotiate();
    } finally {
      clearTimeout(deadline);
    }
  }

  async #transmit({ early, ...agreed }: OpenedExport): Promise<void> {
    const { limits, memory } = this.#options;
    const socket = this.#socket;
    const { device } = agreed;
    const events: TransmissionEvents = {
      deviceFailed: (error) => this.#deviceFailed(error),
      violated: (error) => this.#warn(error, 'client broke the protocol'),
      slow: () => this.#warn(undefined, 'client too slow while others wait for memory'),
    };
    const transmission = new Transmission(socket, agreed, { limits, memory, events });
    this.#transmission = transmission;
    const end = (): void => this.end();
    device.gone?.addEventListener('abort', end, { once: true });
    if (this.#ending || device.gone?.aborted === true) transmission.end();
    else transmission.begin(early);
    await transmission.finished;
    device.gone?.removeEventListener('abort', end);
    await device.close();
  }

  /** Closes the socket after giving the client a while to read its answers. */
  #closeSocket(socket: Socket): Promise<void> {
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      this.#cutAfterLingering();
      // Closing with unread bytes would discard the answers, so the rest is read and dropped.
      socket.resume();
      socket.destroySoon();
    });
  }

  #cutAfterLingering(): void {
    const { limits } = this.#options;
    const socket = this.#socket;
    if (socket.closed) return;
    const cut = setTimeout(() => socket.destroy(), limits.lingerMsMax);
    socket.once('close', () => clearTimeout(cut));
  }

  /** Logs once a connection: a device that fails every request must not flood the log. */
  #deviceFailed(error: unknown): void {
    if (this.#deviceFailureLogged) return;
    this.#deviceFailureLogged = true;
    this.#warn(error, "device failed; further failures on this connection aren't logged");
  }

  #debug(error: unknown, message: string): void {
    this.#options.log.debug({ err: error, peer: this.#options.peer }, message);
  }

  #warn(error: unknown, message: string): void {
    this.#options.log.warn({ err: error, peer: this.#options.peer }, message);
  }
}
