// The link to the replica site, with its injected faults: cut, or throttled for everything that
// goes over it.
import type { Link as LinkState } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import { TokenBucket } from './core/token-bucket.js';

/** A sender over the link, which waits while the link is busy. */
export interface LinkUser {
  /** The link has room again. */
  readonly onRoom: () => void;
  /** The link was cut. */
  readonly onCut: () => void;
}

/** The finest resolution of a timer. */
const TIMER_MS_MIN = 1;

export class Link {
  #state: LinkState = { cut: false };
  #bucket: TokenBucket | undefined;
  readonly #users = new Set<LinkUser>();
  /** Waiting users, in order of arrival: each sends one frame per turn. */
  readonly #waiting = new Set<LinkUser>();
  readonly #calls = new Set<AbortController>();
  #sentBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  get state(): LinkState {
    return this.#state;
  }

  set(state: LinkState): void {
    this.#state = state;
    this.#bucket =
      state.bytesPerSecond === undefined ? undefined : new TokenBucket(state.bytesPerSecond, performance.now());
    if (state.cut) {
      const reason = linkDown();
      for (const call of this.#calls) call.abort(reason);
      for (const user of this.#users) user.onCut();
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#letPass();
  }

  /** Bytes that were relayed to the replica site since the process started. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  add(user: LinkUser): void {
    this.#users.add(user);
  }

  remove(user: LinkUser): void {
    this.#users.delete(user);
    this.#waiting.delete(user);
  }

  /**
   * Counts bytes sent.
   * @returns whether the user may send more now; else `onRoom` says when, after this call
   */
  sent(user: LinkUser, bytes: number): boolean {
    this.#sentBytes += bytes;
    if (this.#bucket === undefined) return true;
    const nowMs = performance.now();
    this.#bucket.spend(bytes, nowMs);
    if (this.#bucket.waitMs(nowMs) === 0) return true;
    this.#waiting.add(user);
    // Never at once, though there may be room by now: the user would hear of room before it hears
    // that it waits, and wait for ever.
    this.#letPassSoon();
    return false;
  }

  /**
   * Makes a call over the link.
   * @throws MoverError LINK_DOWN while the link is cut, and when it is cut during the call (whether
   * the call took effect is then unknown); what the call throws; the caller's reason
   */
  async call<Result>(run: (signal: AbortSignal) => Promise<Result>, caller?: AbortSignal): Promise<Result> {
    if (this.#state.cut) throw linkDown();
    const controller = new AbortController();
    const abort = (): void => controller.abort(caller?.reason);
    if (caller?.aborted === true) abort();
    caller?.addEventListener('abort', abort, { once: true });
    this.#calls.add(controller);
    try {
      return await run(controller.signal);
    } finally {
      this.#calls.delete(controller);
      caller?.removeEventListener('abort', abort);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #letPass(): void {
    for (const user of this.#waiting) {
      if (this.#timer !== undefined) return;
      if (this.#waitMs() > 0) {
        this.#letPassSoon();
        return;
      }
      this.#waiting.delete(user);
      user.onRoom();
    }
  }

  #letPassSoon(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#letPass();
      },
      Math.max(this.#waitMs(), TIMER_MS_MIN),
    );
  }

  #waitMs(): number {
    return this.#bucket?.waitMs(performance.now()) ?? 0;
  }
}

function linkDown(): MoverError {
  return new MoverError('LINK_DOWN', 'The link to the replica site was cut on purpose.');
}
