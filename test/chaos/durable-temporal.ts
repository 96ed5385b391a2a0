// A Temporal server with a database file, which can be killed with kill -9 and started again where
// it was.
import { join } from 'node:path';
import { locateTemporal } from '../../estate/temporal/locate.js';
import { startTemporal, type StartTemporalOptions, type TemporalDevServer } from '../../estate/temporal/server.js';

export class DurableTemporal {
  readonly #options: StartTemporalOptions;
  #server: TemporalDevServer;

  private constructor(options: StartTemporalOptions, server: TemporalDevServer) {
    this.#options = options;
    this.#server = server;
  }

  /** @throws Error when there is no executable to start one by */
  static async start(folder: string): Promise<DurableTemporal> {
    const located = await locateTemporal({
      log: () => undefined,
      env: { ...process.env, TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '' },
    });
    if (located.kind !== 'executable') throw new Error('A server that is to be killed must be one of our own.');
    const options = {
      executable: located.path,
      databaseFile: join(folder, 'temporal.db'),
      log: () => undefined,
    };
    return new DurableTemporal(options, await startTemporal(options));
  }

  /** `host:port`, the same for all its lives. */
  get address(): string {
    return this.#server.address;
  }

  /** Kills it with kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    process.kill(this.#server.processId, 'SIGKILL');
    await this.#server.stop();
  }

  /** Starts it again after `kill`. */
  async restart(): Promise<void> {
    const port = portOf(`tcp://${this.#server.address}`);
    this.#server = await startTemporal({ ...this.#options, port, uiPort: portOf(this.#server.uiUrl) });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
