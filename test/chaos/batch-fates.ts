// What becomes of each volume of a batch under chaos, drawn by a seed; and the gate that sees to
// it.
import { MoverError } from '../../contracts/errors.js';
import { groupIdSchema, type GroupId, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { Chance } from '../simulation/virtual-time.js';
import type { Gate } from '../support/control-detour.js';

const group = (id: string): GroupId => groupIdSchema.parse(id);

/** Where volumes come from, on different appliances. */
export const SOURCES = [group('cg-gold'), group('cg-copper')] as const;
/** Where there is room, on different appliances. */
export const TARGETS = [group('cg-silver'), group('cg-bronze')] as const;
/** Its replication is paused: nothing can go there. */
export const PAUSED = group('cg-paused');
/** Has room for some of those that want to go there. */
export const NARROW = group('cg-narrow');

/**
 * Calls that are refused for some volumes: of splitters before and at the fence, of an appliance
 * behind it.
 */
const REFUSED_CALLS = ['/v1/attempts/notify', '/v1/attempts/fence', '/v1/attempts/seal'] as const;
/** Calls that are lost once for some volumes. */
const LOST_CALLS = [...REFUSED_CALLS, '/v1/attempts/open', '/v1/attempts/adopt', '/v1/attempts/learn'] as const;

export type Fate =
  | { readonly kind: 'moves' }
  /** Its first such call gets nowhere; it moves all the same. */
  | { readonly kind: 'call lost'; readonly path: string }
  /** It fails. */
  | { readonly kind: 'call refused'; readonly path: string }
  /** It fails: its target is paused. */
  | { readonly kind: 'paused' }
  /** It moves while there is room; the plan leaves it out when there is none. */
  | { readonly kind: 'narrow' };

export interface Wish {
  readonly volume: VolumeId;
  readonly from: GroupId;
  readonly to: GroupId;
  readonly fate: Fate;
}

/** How many of a hundred volumes have which fate. */
const SHARES: readonly (readonly [count: number, kind: Fate['kind']])[] = [
  [9, 'call refused'],
  [12, 'call lost'],
  [4, 'paused'],
  [4, 'narrow'],
];

export function wishesOf(seed: number, count: number): Wish[] {
  const chance = new Chance(seed);
  return Array.from({ length: count }, (_, i) => {
    const fate = fateOf(chance);
    return {
      volume: volumeIdSchema.parse(`vol-${i}`),
      from: chance.pick(SOURCES),
      to: fate.kind === 'paused' ? PAUSED : fate.kind === 'narrow' ? NARROW : chance.pick(TARGETS),
      fate,
    };
  });
}

function fateOf(chance: Chance): Fate {
  let drawn = chance.below(100);
  for (const [count, kind] of SHARES) {
    drawn -= count;
    if (drawn >= 0) continue;
    switch (kind) {
      case 'call refused':
        return { kind, path: chance.pick(REFUSED_CALLS) };
      case 'call lost':
        return { kind, path: chance.pick(LOST_CALLS) };
      default:
        return { kind };
    }
  }
  return { kind: 'moves' };
}

/** The refusal that no further try can help. */
export const REFUSAL = 'CORRUPT';

/** Sees to the fates of volumes whose calls are refused or lost. */
export class FateGate implements Gate {
  readonly #fates: ReadonlyMap<string, Fate>;
  readonly #lost = new Set<string>();

  constructor(wishes: readonly Wish[]) {
    this.#fates = new Map(wishes.map(({ volume, fate }) => [volume, fate]));
  }

  /** Volumes of which a call was lost. */
  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  async pass(path: string, body: string): Promise<void> {
    // A move of a batch has the name of its volume in its id.
    const volume = /"move":"[^"]*\/\d+-([^"@]+)@/.exec(body)?.[1];
    const fate = volume === undefined ? undefined : this.#fates.get(volume);
    if (volume === undefined || fate === undefined) return;
    if (fate.kind === 'call refused' && fate.path === path) throw new MoverError(REFUSAL, `Refused for ${volume}.`);
    if (fate.kind === 'call lost' && fate.path === path && !this.#lost.has(volume)) {
      this.#lost.add(volume);
      throw new Error(`A call for ${volume} is lost.`);
    }
  }

  /** Nothing is held up here. */
  release(): void {}
}
