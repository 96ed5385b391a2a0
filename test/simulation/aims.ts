// Faults aimed at a step of the protocol: right before a control call takes effect, or right after
// it, before its answer leaves. Faults at random instants rarely meet such an instant.
import type { Chance } from './virtual-time.js';

/** The calls of a move, in the order of its steps. */
export const MOVE_CALLS = [
  'open',
  'notify',
  'fence',
  'confirm',
  'drain',
  'renew',
  'seal',
  'bookmark',
  'adopt',
  'learn',
  'join',
  'resolve',
] as const;

export type Side = 'before' | 'after';

const KINDS = [
  'crash',
  'cancel',
  /** The workflow ends, and its activity goes on. */
  'terminate',
  /** Workflow and activity are gone for good. */
  'gone',
  'workerDies',
  /** The replica site is down for longer than a lease. */
  'outage',
  'delay',
  'duplicate',
  'lose',
] as const;
export type AimKind = (typeof KINDS)[number];

/** A fault to come. */
export interface AimPlan {
  readonly call: string;
  readonly side: Side;
  readonly kind: AimKind;
  /** Calls of that name to let pass first. */
  readonly skip: number;
}

/** A call on its way. */
export interface AimedCall {
  /** The process that serves it. */
  readonly process: string;
  /** Makes the call once more, as a duplicate that arrives late. Its answer is dropped. */
  readonly again: () => void;
}

export interface Aim extends AimPlan {
  /** The move whose calls it waits for. */
  readonly move: string;
  /** Does harm. A MoverError thrown here is the answer that the caller gets. */
  readonly act: (call: AimedCall) => Promise<void> | void;
}

export function drawAim(chance: Chance): AimPlan {
  return {
    call: chance.pick(MOVE_CALLS),
    side: chance.pick(['before', 'after'] as const),
    kind: chance.pick(KINDS),
    skip: chance.hit(0.8) ? 0 : 1,
  };
}

/** The faults that wait for their calls. */
export class Aims {
  #waiting: (Aim & { left: number })[] = [];

  add(aim: Aim): void {
    this.#waiting.push({ ...aim, left: aim.skip });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** Takes the faults that are due at this side of a call. Each acts once. */
  take(call: string, side: Side, move: string | undefined): Aim[] {
    if (this.#waiting.length === 0 || move === undefined) return [];
    const due: Aim[] = [];
    this.#waiting = this.#waiting.filter((aim) => {
      if (aim.move !== move || aim.call !== call || aim.side !== side) return true;
      aim.left -= 1;
      if (aim.left >= 0) return true;
      due.push(aim);
      return false;
    });
    return due;
  }
}
