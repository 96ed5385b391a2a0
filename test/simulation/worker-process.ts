// A worker process of `npm run simulate`: makes the runs it is told to, and sends each one's facts.
import { factsOf } from './facts.js';
import { MIXES } from './mixes.js';
import { mixNamed, runOf, type Share } from './share.js';

/** Runs to make, by their numbers in the share. */
export interface Order {
  readonly share: Share;
  readonly from: number;
  /** The number after the last one. */
  readonly to: number;
}

// Refusals are errors, and there are many. Facts tell their messages only.
Error.stackTraceLimit = 0;

process.on('message', (order: Order) => void follow(order));
// The parent is gone: nobody waits for the facts.
process.on('disconnect', () => process.exit());

async function follow({ share, from, to }: Order): Promise<void> {
  for (let number = from; number < to; number += 1) {
    const { mix, seed } = runOf(share, number);
    process.send?.(await factsOf(mixNamed(MIXES, mix), seed));
  }
}
