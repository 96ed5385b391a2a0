// The first moves of a batch, which the others wait for: until they have ended and, unless the
// input says otherwise, somebody approved.
import type { BatchOptions } from '../../../contracts/batch.js';
import type { CarriedBatch, Stop } from '../../../contracts/batch-run.js';

export type CanaryState = CarriedBatch['canary'];

export class Canary {
  readonly #options: BatchOptions['canary'];
  #state: CanaryState;

  constructor(options: BatchOptions['canary'], state: CanaryState) {
    this.#options = options;
    this.#state = state;
  }

  get state(): CanaryState {
    return this.#state;
  }

  /** How many of the planned moves, from the first on, may have their turn. */
  reach(planned: number): number {
    return this.#options === undefined || this.#state !== 'running' ? planned : Math.min(planned, this.#options.count);
  }

  /**
   * All its moves have ended: it passes, or waits for somebody.
   * @returns a stop when some failed and nobody is to be asked
   */
  ended({ failed, planned }: { readonly failed: number; readonly planned: number }): Stop | undefined {
    if (this.#options === undefined || this.#state !== 'running') return undefined;
    const { count, approval } = this.#options;
    const areOthersWaiting = planned > count;
    this.#state = approval && areOthersWaiting ? 'waiting' : 'passed';
    if (this.#state === 'waiting' || failed === 0 || !areOthersWaiting) return undefined;
    return { why: 'canary', running: 'finish', text: `${failed} of the first ${count} moves failed.` };
  }

  approve(): void {
    this.#state = 'passed';
  }

  /** Its failed moves get another turn: it is approved once they have ended. */
  reopen(): void {
    if (this.#state === 'waiting') this.#state = 'running';
  }
}
