// Starts processes again that die, as an init system would, so that killing one on purpose can be watched.
import type { Death } from './estate-process.js';

/** A process that dies more often than this within a minute is not mended by starting it again. */
const DEATHS_MAX = 5;
const WINDOW_MS = 60_000;

export class KeepAlive {
  readonly #deaths = new Map<string, number[]>();
  readonly #say: (line: string) => void;
  readonly #giveUp: (reason: Error) => void;
  #ended = false;

  /** @param giveUp gets the reason when a process dies again and again; the others are still running then. */
  constructor(say: (line: string) => void, giveUp: (reason: Error) => void) {
    this.#say = say;
    this.#giveUp = giveUp;
  }

  /** From now on a death is nobody's business: everything is being stopped. */
  end(): void {
    this.#ended = true;
  }

  async revive({ process, message }: Death): Promise<void> {
    if (this.#ended) return;
    this.#say(message);
    const nowMs = Date.now();
    const recent = (this.#deaths.get(process.id) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
    this.#deaths.set(process.id, [...recent, nowMs]);
    if (recent.length >= DEATHS_MAX) {
      this.#giveUp(new Error(`Process ${process.id} died ${recent.length + 1} times within a minute.`));
      return;
    }
    try {
      await process.start();
      this.#say(`Process ${process.id} runs again (process id ${process.pid}).`);
    } catch {
      // It died before it was ready: that is a death of its own.
    }
  }
}
