// The NBD server: listens, and gives each client its own connection.
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { describeAddress, isLocal } from './address.js';
import type { NbdAddress } from './address.js';
import type { ExportDirectory } from './block-device.js';
import type { CertificateFolder } from './certificates.js';
import { DEFAULT_NBD_LIMITS, TCP_KEEP_ALIVE_MS } from './limits.js';
import { ServerMemory } from './memory.js';
import type { NbdLimits } from './limits.js';
import { listen } from './listen.js';
import { ServerConnection } from './server-connection.js';
import type { TlsTerms } from './server-handshake.js';
import type { NbdLog } from './server-connection.js';

export interface NbdServerOptions {
  readonly exports: ExportDirectory;
  /** Port 0 lets the system choose. A unix socket's file is made, and removed by `stop`. */
  readonly listen: readonly NbdAddress[];
  /** A limit left out is the one of `DEFAULT_NBD_LIMITS`. */
  readonly limits?: Partial<NbdLimits>;
  /**
   * The server's side of TLS, which clients of other hosts must use, with a certificate of their
   * own. Absent: only clients of the same host are served.
   */
  readonly certificates?: CertificateFolder | undefined;
  /** Whether a client needs TLS; when absent: one that is on another host. */
  readonly needsTls?: (socket: Socket) => boolean;
  /** Silent when absent. */
  readonly log?: NbdLog;
}

export interface NbdServer {
  /**
   * Listens; resolves to the addresses in the order given, with the ports in use. Repeated calls
   * give the same answer; a failed start may be tried again.
   *
   * @throws the system's error when an address can't be bound; then none stays bound
   */
  start(): Promise<readonly NbdAddress[]>;
  /**
   * Accepts no new client, answers the requests in flight, then closes every connection and its
   * device. Repeated calls wait for the same end. A stopped server can't be started again.
   */
  stop(): Promise<void>;
}

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };

const SILENT: NbdLog = { debug: () => {}, warn: () => {} };

export function createNbdServer(options: NbdServerOptions): NbdServer {
  return new ListeningServer(options);
}

class ListeningServer implements NbdServer {
  readonly #options: NbdServerOptions;
  readonly #limits: NbdLimits;
  readonly #log: NbdLog;
  readonly #memory: ServerMemory;
  readonly #connections = new Set<ServerConnection>();
  #listeners: Server[] = [];
  #connectionsSeen = 0;
  #started: Promise<readonly NbdAddress[]> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: NbdServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_NBD_LIMITS, ...options.limits };
    this.#log = options.log ?? SILENT;
    this.#memory = new ServerMemory(this.#limits.memory);
  }

  start(): Promise<readonly NbdAddress[]> {
    if (this.#stopped !== undefined) {
      return Promise.reject(new Error('the NBD server has been stopped'));
    }
    this.#started ??= this.#listenOnAll();
    return this.#started;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  async #listenOnAll(): Promise<readonly NbdAddress[]> {
    const bound: NbdAddress[] = [];
    try {
      for (const address of this.#options.listen) {
        const listener = createServer(TCP_OPTIONS);
        listener.on('connection', (socket) => this.#accept(socket, address));
        bound.push(await listen(listener, address));
        listener.on('error', (error) => {
          this.#log.warn({ err: error, address: describeAddress(address) }, 'listener failed');
        });
        this.#listeners.push(listener);
      }
      return bound;
    } catch (error) {
      this.#started = undefined;
      await this.#closeListeners();
      throw error;
    }
  }

  #accept(socket: Socket, address: NbdAddress): void {
    if (this.#stopped !== undefined || !this.#makeRoom()) {
      socket.destroy();
      this.#log.warn({ connections: this.#connections.size }, 'connection refused');
      return;
    }
    this.#connectionsSeen += 1;
    const { remoteAddress, remotePort } = socket;
    const remote = remoteAddress === undefined ? describeAddress(address) : `${remoteAddress}:${remotePort}`;
    const connection = new ServerConnection({
      socket,
      exports: this.#options.exports,
      peer: { connection: this.#connectionsSeen, address: remote },
      limits: this.#limits,
      memory: this.#memory,
      tls: this.#tlsFor(socket),
      log: this.#log,
    });
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
  }

  #tlsFor(socket: Socket): TlsTerms {
    const { certificates, needsTls = (client) => !isLocal(client) } = this.#options;
    return {
      certificates: certificates === undefined ? undefined : () => certificates.now,
      required: needsTls(socket),
    };
  }

  /** Whether one more connection fits. The longest handshake gives way: it may never end. */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#limits.connectionsMax) return true;
    for (const connection of this.#connections) {
      if (!connection.isNegotiating) continue;
      this.#connections.delete(connection);
      connection.end();
      return true;
    }
    return false;
  }

  async #close(): Promise<void> {
    await this.#started?.catch(() => undefined);
    const connections = [...this.#connections];
    for (const connection of connections) connection.end();
    const listenersClosed = this.#closeListeners();
    await Promise.all(connections.map((connection) => connection.closed));
    await listenersClosed;
  }

  async #closeListeners(): Promise<void> {
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all(listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve()))));
  }
}
