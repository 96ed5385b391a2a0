// All streams of a splitter: one to each appliance that a volume is routed to, or is announced to
// move to. A stream closes when no volume needs it.
import { ApplianceStream, type ApplianceStreamOptions } from './appliance-stream.js';
import { NO_SESSION } from '../core/volume-split.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';

/** Where a volume is attached, and the appliances it needs connected. */
interface Followed {
  readonly url: string;
  readonly epoch: number;
  readonly session: number;
  readonly neededUrls: readonly string[];
}

interface Counted {
  readonly stream: ApplianceStream;
  /** Count of volumes that need it. */
  needs: number;
}

export class Streams {
  readonly #options: Omit<ApplianceStreamOptions, 'url'>;
  readonly #streams = new Map<string, Counted>();
  readonly #followed = new Map<ProtectedVolume, Followed>();

  constructor(options: Omit<ApplianceStreamOptions, 'url'>) {
    this.#options = options;
  }

  /**
   * Brings the streams in line with the volume's row and session. Call it when either is new or
   * changed.
   */
  follow(volume: ProtectedVolume): void {
    const { session, row } = volume.split;
    const { route, notice } = row;
    const before = this.#followed.get(volume);
    const neededUrls = [...new Set([route.url, ...(notice === undefined ? [] : [notice.to.url])])];
    this.#followed.set(volume, { url: route.url, epoch: route.epoch, session, neededUrls });
    for (const url of neededUrls) this.#need(url);
    if (before?.url !== route.url || before.epoch !== route.epoch || before.session !== session) {
      if (before !== undefined) this.#streams.get(before.url)?.stream.remove(volume);
      if (session !== NO_SESSION) this.#streams.get(route.url)?.stream.add(volume);
    }
    for (const url of before?.neededUrls ?? []) this.#release(url);
  }

  /** Sends nothing more of the volume. */
  forget(volume: ProtectedVolume): void {
    const followed = this.#followed.get(volume);
    if (followed === undefined) return;
    this.#streams.get(followed.url)?.stream.remove(volume);
    this.#followed.delete(volume);
    for (const url of followed.neededUrls) this.#release(url);
  }

  /** The volume has something to send. */
  wake(volume: ProtectedVolume): void {
    const url = this.#followed.get(volume)?.url;
    if (url !== undefined) this.#streams.get(url)?.stream.wake(volume);
  }

  /** Attaches the volume anew, if it is attached: its claim has changed. */
  reattach(volume: ProtectedVolume): void {
    if (volume.split.session === NO_SESSION) return;
    const url = this.#followed.get(volume)?.url;
    const stream = url === undefined ? undefined : this.#streams.get(url)?.stream;
    stream?.remove(volume);
    stream?.add(volume);
  }

  /** What is wrong, in sentences. */
  get notes(): string[] {
    return [...this.#streams.values()].flatMap(({ stream }) => stream.note ?? []);
  }

  close(): void {
    for (const { stream } of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#followed.clear();
  }

  #need(url: string): void {
    const counted = this.#streams.get(url) ?? { stream: new ApplianceStream({ ...this.#options, url }), needs: 0 };
    counted.needs += 1;
    this.#streams.set(url, counted);
  }

  #release(url: string): void {
    const counted = this.#streams.get(url);
    if (counted === undefined) return;
    counted.needs -= 1;
    if (counted.needs > 0) return;
    this.#streams.delete(url);
    counted.stream.close();
  }
}
