// Tells a connection whose peer is gone from one that is only quiet.

export interface HeartbeatOptions {
  /** Time between pings, ms. */
  readonly pingEveryMs: number;
  /** Silence after which the peer counts as gone, ms. */
  readonly silenceMsMax: number;
  /** Whether nothing can be heard now because this side doesn't read. */
  readonly isDeaf: () => boolean;
  readonly onPing: () => void;
  readonly onSilent: () => void;
}

/**
 * Counts silent intervals instead of elapsed time: a process that was itself stopped for a while
 * must not blame its peer.
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

  /** Notes that the peer sent something. */
  heard(): void {
    this.#silentMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
