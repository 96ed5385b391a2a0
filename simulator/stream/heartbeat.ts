// Tells a connection whose other side is gone from one that is quiet.

export interface HeartbeatOptions {
  /** How often to say that this side is there. */
  readonly pingEveryMs: number;
  /** Silence after which the other side is taken for gone. */
  readonly silenceMsMax: number;
  /** Whether nothing can be heard now because this side does not read. */
  readonly isDeaf: () => boolean;
  readonly onPing: () => void;
  readonly onSilent: () => void;
}

/**
 * Counts silent intervals, not time by the clock: a process that was itself stopped for a while
 * must not blame the other side.
 */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  #silentMs = 0;

  constructor({ pingEveryMs, silenceMsMax, isDeaf, onPing, onSilent }: HeartbeatOptions) {
    this.#timer = setInterval(() => {
      this.#silentMs = isDeaf() ? 0 : this.#silentMs + pingEveryMs;
      if (this.#silentMs >= silenceMsMax) onSilent();
      else onPing();
    }, pingEveryMs);
    this.#timer.unref();
  }

  /** Something came from the other side. */
  heard(): void {
    this.#silentMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
