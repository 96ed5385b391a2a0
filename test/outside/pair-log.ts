// Dependent pairs and what their writer remembers: number n of the effects is issued only once
// number n of the causes is acknowledged, and number n + 1 of the causes only once number n of the
// effects is. Several lanes of such pairs run beside each other.
import { createHash } from 'node:crypto';

export const SIDES = ['cause', 'effect'] as const;
/** A disk of causes, or the disk of their effects. */
export type Side = (typeof SIDES)[number];

export const LANES = 4;
/** Slots of each lane's ring: number n is in slot n mod this. */
export const SLOTS = 64;
/** Size of one write: small, so that an image of any point is opened quickly. */
export const WRITE_BYTES = 512;
/** Distance from slot to slot: the rings lie in 16 regions of marks. */
const SPACING_BYTES = 4096;
export const DISK_BYTES = LANES * SLOTS * SPACING_BYTES;

export function offsetOf(lane: number, n: number): number {
  return ((n % SLOTS) * LANES + lane) * SPACING_BYTES;
}

/** What is written as number n: the number, and bytes that only it has. */
export function contentOf(side: Side, lane: number, n: number): Buffer {
  const content = Buffer.alloc(WRITE_BYTES, createHash('sha512').update(`${side} ${lane} ${n}`).digest());
  content.writeUInt32LE(n, 0);
  return content;
}

/** The number that such bytes say they are; 0 for a slot that was never written. */
export function numberOf(content: Buffer): number {
  return content.readUInt32LE(0);
}

/** Ticks of the writer's own clock, which grows with every issue and every acknowledgement. */
interface Times {
  readonly issuedAt: number[];
  readonly acknowledgedAt: number[];
}

export class PairLog {
  readonly #times: Readonly<Record<Side, readonly Times[]>> = { cause: newLanes(), effect: newLanes() };
  #tick = 0;

  /** Numbers a write before it is sent: 1, 2, 3 … of its lane and side. */
  issue(side: Side, lane: number): number {
    const { issuedAt } = this.#of(side, lane);
    this.#tick += 1;
    issuedAt.push(this.#tick);
    return issuedAt.length;
  }

  acknowledge(side: Side, lane: number): void {
    this.#tick += 1;
    this.#of(side, lane).acknowledgedAt.push(this.#tick);
  }

  /** 0 for what every disk holds, number 0. @throws Error when there was no such write */
  issuedAt(side: Side, lane: number, n: number): number {
    if (n === 0) return 0;
    const tick = this.#of(side, lane).issuedAt[n - 1];
    if (tick === undefined) throw new Error(`Number ${n} of lane ${lane} was never written as ${side}.`);
    return tick;
  }

  /** Infinity when it is not acknowledged. */
  acknowledgedAt(side: Side, lane: number, n: number): number {
    return this.#of(side, lane).acknowledgedAt[n - 1] ?? Number.POSITIVE_INFINITY;
  }

  /** Pairs that are complete. */
  get pairs(): number {
    return this.#times.effect.reduce((sum, { acknowledgedAt }) => sum + acknowledgedAt.length, 0);
  }

  #of(side: Side, lane: number): Times {
    const times = this.#times[side][lane];
    if (times === undefined) throw new Error(`There is no lane ${lane}.`);
    return times;
  }
}

function newLanes(): Times[] {
  return Array.from({ length: LANES }, () => ({ issuedAt: [], acknowledgedAt: [] }));
}
