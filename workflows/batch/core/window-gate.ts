// The maintenance window: whether a move may start now, when to check again, and whether the
// window's end ends the batch.
import type { BatchOptions } from '../../../contracts/batch.js';
import type { OpenWindow } from '../../../contracts/batch-run.js';

export type Gate =
  | { readonly kind: 'open' }
  /** The window must be looked up first. */
  | { readonly kind: 'ask' }
  /** Nothing starts before the time; Infinity when the window sets none. */
  | { readonly kind: 'closed'; readonly untilMs: number }
  /** No move can start any more in a window of this batch. @param text the reason as a sentence */
  | { readonly kind: 'over'; readonly text: string };

const WINDOW_ENDED: Gate = { kind: 'over', text: 'The maintenance window ended before all moves were made.' };

export class WindowGate {
  readonly #options: Pick<BatchOptions, 'window' | 'atWindowEnd'>;
  #window: OpenWindow | undefined;

  constructor(options: Pick<BatchOptions, 'window' | 'atWindowEnd'>, window: OpenWindow | undefined) {
    this.#options = options;
    this.#window = window;
  }

  /** The window last learned. */
  get window(): OpenWindow | undefined {
    return this.#window;
  }

  /** The end of the window; Infinity while none is known. */
  get closesAtMs(): number {
    return this.#window?.closesAtMs ?? Infinity;
  }

  opened(window: OpenWindow): void {
    this.#window = window;
  }

  isOutside(nowMs: number): boolean {
    return this.#window !== undefined && (nowMs < this.#window.opensAtMs || nowMs >= this.#window.closesAtMs);
  }

  /** Whether the window's end, not an earlier time in the input, makes moves give up. */
  isFenceBy(givenMs: number | undefined): boolean {
    return this.#window !== undefined && (givenMs ?? Infinity) >= this.#window.closesAtMs;
  }

  /**
   * Whether a move may start. @param isIdle no move runs, so the expected duration can't change any
   * more
   */
  gateAt(nowMs: number, { expectedMs, isIdle }: { readonly expectedMs: number; readonly isIdle: boolean }): Gate {
    const { window, atWindowEnd } = this.#options;
    if (window === undefined) return { kind: 'open' };
    if (this.#window === undefined) return { kind: 'ask' };
    const { opensAtMs, closesAtMs } = this.#window;
    if (nowMs >= closesAtMs) return atWindowEnd === 'wait' ? { kind: 'ask' } : WINDOW_ENDED;
    if (isIdle && expectedMs > closesAtMs - opensAtMs)
      return {
        kind: 'over',
        text: `No move fits into the maintenance window: a move is expected to last ${expectedMs} ms, longer than the window is open.`,
      };
    if (nowMs < opensAtMs) return { kind: 'closed', untilMs: opensAtMs };
    if (nowMs + expectedMs <= closesAtMs) return { kind: 'open' };
    // No further move is expected to end in time.
    return isIdle && atWindowEnd === 'finish' ? WINDOW_ENDED : { kind: 'closed', untilMs: closesAtMs };
  }

  /** The gate while people hold the batch back. The window may end meanwhile. */
  gateWhileHeld(nowMs: number): Gate {
    const { window, atWindowEnd } = this.#options;
    if (window === undefined || atWindowEnd === 'wait') return { kind: 'closed', untilMs: Infinity };
    if (this.#window === undefined) return { kind: 'ask' };
    const { closesAtMs } = this.#window;
    return nowMs < closesAtMs ? { kind: 'closed', untilMs: closesAtMs } : WINDOW_ENDED;
  }
}
