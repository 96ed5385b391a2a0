// The maintenance window: whether a move may start now, when to look again, and whether the
// window's end is the batch's.
import type { BatchOptions } from '../../../contracts/batch.js';
import type { OpenWindow } from '../../../contracts/batch-run.js';

export type Gate =
  | { readonly kind: 'open' }
  /** Which window it is must be known first. */
  | { readonly kind: 'ask' }
  /** Nothing starts before the time; Infinity when the window does not say. */
  | { readonly kind: 'closed'; readonly untilMs: number }
  /** No further move can start in any window of this batch. @param text a sentence */
  | { readonly kind: 'over'; readonly text: string };

const WINDOW_ENDED: Gate = { kind: 'over', text: 'The maintenance window ended before all moves were made.' };

export class WindowGate {
  readonly #options: Pick<BatchOptions, 'window' | 'atWindowEnd'>;
  #window: OpenWindow | undefined;

  constructor(options: Pick<BatchOptions, 'window' | 'atWindowEnd'>, window: OpenWindow | undefined) {
    this.#options = options;
    this.#window = window;
  }

  /** The last one that was told. */
  get window(): OpenWindow | undefined {
    return this.#window;
  }

  /** Infinity while no window is known. */
  get closesAtMs(): number {
    return this.#window?.closesAtMs ?? Infinity;
  }

  opened(window: OpenWindow): void {
    this.#window = window;
  }

  isOutside(nowMs: number): boolean {
    return this.#window !== undefined && (nowMs < this.#window.opensAtMs || nowMs >= this.#window.closesAtMs);
  }

  /**
   * Whether moves give up for the end of this window, and not for an earlier time that the input
   * gives.
   */
  isFenceBy(givenMs: number | undefined): boolean {
    return this.#window !== undefined && (givenMs ?? Infinity) >= this.#window.closesAtMs;
  }

  /** @param isIdle nothing runs: what is expected of a move can't change any more */
  look(nowMs: number, { expectedMs, isIdle }: { readonly expectedMs: number; readonly isIdle: boolean }): Gate {
    const { window, atWindowEnd } = this.#options;
    if (window === undefined) return { kind: 'open' };
    if (this.#window === undefined) return { kind: 'ask' };
    const { opensAtMs, closesAtMs } = this.#window;
    if (nowMs >= closesAtMs) return atWindowEnd === 'wait' ? { kind: 'ask' } : WINDOW_ENDED;
    if (isIdle && expectedMs > closesAtMs - opensAtMs)
      return {
        kind: 'over',
        text: `A move is expected to last ${expectedMs} ms, longer than the window is open.`,
      };
    if (nowMs < opensAtMs) return { kind: 'closed', untilMs: opensAtMs };
    if (nowMs + expectedMs <= closesAtMs) return { kind: 'open' };
    // Nothing more is expected to end in time.
    return isIdle && atWindowEnd === 'finish' ? WINDOW_ENDED : { kind: 'closed', untilMs: closesAtMs };
  }

  /** For a batch that people hold back meanwhile: the window may end all the same. */
  lookWhileHeld(nowMs: number): Gate {
    const { window, atWindowEnd } = this.#options;
    if (window === undefined || atWindowEnd === 'wait') return { kind: 'closed', untilMs: Infinity };
    if (this.#window === undefined) return { kind: 'ask' };
    const { closesAtMs } = this.#window;
    return nowMs < closesAtMs ? { kind: 'closed', untilMs: closesAtMs } : WINDOW_ENDED;
  }
}
