// A connection to an appliance that is opened again whenever it breaks, until it is closed.
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import type { Credentials } from '../../../control/credentials.js';
import type { FrameConnection, StreamFrame } from '../../stream/connection.js';
import { connectStream } from '../../stream/connect.js';
import { Backoff } from '../shared/backoff.js';

export interface KeptConnectionOptions {
  /** Control URL of the appliance. */
  readonly url: string;
  readonly credentials: Credentials | undefined;
  readonly log: Logger;
  readonly onUp: (connection: FrameConnection) => void;
  readonly onFrame: (frame: StreamFrame) => void;
  readonly onDrain: () => void;
  readonly onDown: () => void;
}

export class KeptConnection {
  readonly #options: KeptConnectionOptions;
  readonly #backoff = new Backoff();
  readonly #closing = new AbortController();
  #retry: NodeJS.Timeout | undefined;
  #connection: FrameConnection | undefined;
  #refusal: string | undefined;

  constructor(options: KeptConnectionOptions) {
    this.#options = options;
    void this.#connect();
  }

  async #connect(): Promise<void> {
    const { url, credentials, log, onUp, onFrame, onDrain, onDown } = this.#options;
    try {
      const connection = await connectStream({ url, credentials, signal: this.#closing.signal });
      this.#refusal = undefined;
      connection.start({
        onFrame: (frame) => {
          this.#backoff.reset();
          onFrame(frame);
        },
        onDrain,
        onClose: (reason) => {
          this.#connection = undefined;
          onDown();
          if (this.#closing.signal.aborted) return;
          log.info(
            { appliance: url, by: reason.by, err: reason.by === 'fault' ? reason.error : undefined },
            'stream ended',
          );
          this.#reconnectLater();
        },
      });
      this.#connection = connection;
      if (this.#closing.signal.aborted) connection.close();
      else onUp(connection);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failed(error);
      this.#reconnectLater();
    }
  }

  /** Why the appliance refuses this splitter; undefined when it does not, or can't be reached. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** A refusal of the caller lasts until a person acts, so it is logged once. */
  #failed(error: unknown): void {
    const { url, log } = this.#options;
    const isRefused = error instanceof MoverError && (error.code === 'UNAUTHORIZED' || error.code === 'FORBIDDEN');
    if (isRefused && this.#refusal === undefined) log.error({ appliance: url, err: error }, 'a stream is refused');
    else log.debug({ appliance: url, err: error }, 'no stream');
    this.#refusal = isRefused ? error.message : undefined;
  }

  #reconnectLater(): void {
    this.#retry = setTimeout(() => void this.#connect(), this.#backoff.next());
  }

  /** Closes the connection for good. Safe to call twice. */
  close(): void {
    clearTimeout(this.#retry);
    this.#closing.abort();
    this.#connection?.close();
  }
}
