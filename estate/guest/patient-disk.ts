// A disk that is asked again until it answers: what a guest's driver does while its host's splitter
// restarts.
import { setTimeout as delay } from 'node:timers/promises';
import type { NbdAddress } from '../../nbd/address.js';
import { connectNbd } from '../../nbd/client.js';
import { NbdDisconnected, NbdError, NbdRefused } from '../../nbd/errors.js';
import type { NbdClient } from '../../nbd/nbd-client.js';

/** Between tries to connect, ms: short, so that the outage measured is the splitter's own. */
const RECONNECT_PAUSE_MS = 25;
/**
 * How long a disk may be gone before the guest gives up, ms: the usual SCSI patience is 30 s, and
 * processes start slower here.
 */
const PATIENCE_MS = 60_000;

export class PatientDisk {
  readonly #address: NbdAddress;
  readonly #exportName: string;
  #client: Promise<NbdClient> | undefined;
  #connections = 0;
  #closing = false;

  constructor(address: NbdAddress, exportName: string) {
    this.#address = address;
    this.#exportName = exportName;
  }

  /** How often it had to be connected to again. */
  get reconnections(): number {
    return Math.max(0, this.#connections - 1);
  }

  async sizeBytes(): Promise<number> {
    return (await this.#connected()).sizeBytes;
  }

  /**
   * Repeats the very same write until it is acknowledged.
   * @throws NbdError of a disk that refuses; Error after 60 s
   */
  async write(offset: number, data: Buffer): Promise<void> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const connected = this.#connected();
      try {
        await (await connected).write(offset, data);
        return;
      } catch (error) {
        if (this.#closing || !isOutage(error)) throw error;
        if (performance.now() > giveUpAtMs)
          throw new Error(`The disk is gone for ${PATIENCE_MS} ms.`, { cause: error });
        // Another write may have connected again already.
        if (this.#client === connected) this.#client = undefined;
      }
    }
  }

  /** Lets requests under way finish if there is a connection, and repeats none any more. */
  async close(): Promise<void> {
    this.#closing = true;
    const client = await this.#client?.catch(() => undefined);
    await client?.disconnect();
  }

  #connected(): Promise<NbdClient> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<NbdClient> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const client = await connectNbd(this.#address, this.#exportName);
        this.#connections += 1;
        return client;
      } catch (error) {
        // A disk that was never there is a mistake, not an outage.
        const mistaken = error instanceof NbdRefused && this.#connections === 0;
        if (this.#closing || mistaken || !isOutage(error) || performance.now() > giveUpAtMs) throw error;
        await delay(RECONNECT_PAUSE_MS);
      }
    }
  }
}

/** Whether a new connection may do better: everything but a disk that answers with a refusal. */
function isOutage(error: unknown): boolean {
  if (error instanceof NbdError) return error.code === 'ESHUTDOWN';
  return (
    error instanceof NbdDisconnected || error instanceof NbdRefused || (error instanceof Error && 'syscall' in error)
  );
}
