// The canary: the first moves of a batch. The others wait until these have ended and, unless the
// input says otherwise, a person approved.
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

  /** How many moves of the plan, from the first on, may start. */
  startable(planned: number): number {
    return this.#options === undefined || this.#state !== 'running' ? planned : Math.min(planned, this.#options.count);
  }

  /**
   * Records that all canary moves have ended: the canary passes, or waits for approval.
   * @returns a stop when some failed and no approval is asked for
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

  /**
   * Reopens the canary because its failed moves are queued again. It needs approval once they have
   * ended.
   */
  reopen(): void {
    if (this.#state === 'waiting') this.#state = 'running';
  }
}
