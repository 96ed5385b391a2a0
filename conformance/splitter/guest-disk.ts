// A test volume as its guest sees it: an NBD export, connected anew after the splitter's restart.
import { setTimeout as pause } from 'node:timers/promises';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { MoverError } from '../../contracts/errors.js';

const NBD_PORT_DEFAULT = 10_809;
/** Longest wait for requests that are in flight when the export is let go of, ms. */
const CLOSE_MS_MAX = 2_000;

export class GuestDisk {
  readonly #url: URL;
  #client: Promise<NbdClient> | undefined;

  /** @throws MoverError INVALID_REQUEST unless it is an nbd:// URL with an export's name */
  constructor(url: string) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed?.protocol !== 'nbd:' || parsed.pathname.length < 2)
      throw new MoverError('INVALID_REQUEST', `"${url}" is no disk: give nbd://HOST[:PORT]/EXPORT.`);
    this.#url = parsed;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return (await this.#connected()).read(offset, length);
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await (await this.#connected()).write(offset, data);
  }

  /** Lets go of the export. A write that is never answered is not waited for. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (client === undefined) return;
    const late = new AbortController();
    await Promise.race([
      client.disconnect().then(() => late.abort()),
      pause(CLOSE_MS_MAX, undefined, { signal: late.signal, ref: false }).catch(() => undefined),
    ]);
  }

  async #connected(): Promise<NbdClient> {
    const { hostname, port, pathname } = this.#url;
    this.#client ??= connectNbd(
      { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? NBD_PORT_DEFAULT : Number(port) },
      decodeURIComponent(pathname.slice(1)),
    );
    try {
      return await this.#client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }
}
