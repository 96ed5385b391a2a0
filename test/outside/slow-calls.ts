// Delays the calls of one operation on their way to a host: so two hosts' cuts of one instant are
// apart by a known time.
import { setTimeout as delay } from 'node:timers/promises';
import type { Gate } from '../support/control-detour.js';

export class SlowCalls implements Gate {
  readonly #path: string;
  /** Delay of each call that comes, ms. */
  delayMs = 0;
  /** Calls that were let through. */
  passed = 0;

  /** @param path of the operation, e.g. `/v1/cuts` */
  constructor(path: string) {
    this.#path = path;
  }

  async pass(path: string): Promise<void> {
    if (path !== this.#path) return;
    if (this.delayMs > 0) await delay(this.delayMs);
    this.passed += 1;
  }

  /** Calls under way come through by themselves. */
  release(): void {
    this.delayMs = 0;
  }
}
