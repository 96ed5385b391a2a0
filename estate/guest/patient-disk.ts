// A disk that retries until it gets an answer, as a guest's driver does while its host's splitter
// restarts.
import { setTimeout as delay } from 'node:timers/promises';
import type { NbdAddress } from '../../nbd/address.js';
import { connectNbd } from '../../nbd/client.js';
import { NbdDisconnected, NbdError, NbdRefused } from '../../nbd/errors.js';
import type { NbdClient } from '../../nbd/nbd-client.js';

/** Pause between tries to connect, ms: short, so that the measured outage is the splitter's own. */
const RECONNECT_PAUSE_MS = 25;
/**
 * How long a disk may be gone before the guest gives up, ms. The usual SCSI time-out is 30 s;
 * processes start more slowly here.
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

  /** How often the disk was connected to again. */
  get reconnections(): number {
    return Math.max(0, this.#connections - 1);
  }

  async sizeBytes(): Promise<number> {
    return (await this.#connected()).sizeBytes;
  }

  /**
   * Repeats the same write until it is acknowledged.
   * @throws NbdError when the disk refuses; Error after 60 s
   */
  async write(offset: number, data: Buffer): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const connected = this.#connected();
      try {
        await (await connected).write(offset, data);
        return;
      } catch (error) {
        if (this.#closing || !isOutage(error)) throw error;
        if (performance.now() > deadlineMs)
          throw new Error(`The disk has been gone for ${PATIENCE_MS} ms.`, { cause: error });
        // Another write may already have reconnected.
        if (this.#client === connected) this.#client = undefined;
      }
    }
  }

  /** Lets requests in flight finish if connected; retries nothing from now on. */
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
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const client = await connectNbd(this.#address, this.#exportName);
        this.#connections += 1;
        return client;
      } catch (error) {
        // An export that never existed is a mistake, not an outage.
        const mistaken = error instanceof NbdRefused && this.#connections === 0;
        if (this.#closing || mistaken || !isOutage(error) || performance.now() > deadlineMs) throw error;
        await delay(RECONNECT_PAUSE_MS);
      }
    }
  }
}

/** Whether a new connection may succeed: true unless the disk itself refuses. */
function isOutage(error: unknown): boolean {
  if (error instanceof NbdError) return error.code === 'ESHUTDOWN';
  return (
    error instanceof NbdDisconnected || error instanceof NbdRefused || (error instanceof Error && 'syscall' in error)
  );
}
