// Chooses bugs of the bank: by id, by room, or a share that a seed decides.
import { createHash } from 'node:crypto';
import { bank, type BankedBug } from './bank.js';

export interface Choice {
  /** Whole ids, or the first part of ids. */
  readonly ids: readonly string[];
  /** Share of the bugs, up to 1. */
  readonly share: number;
  readonly seed: number;
}

/** @throws Error for an id that no bug has */
export function choose({ ids, share, seed }: Choice, all: readonly BankedBug[] = bank): readonly BankedBug[] {
  for (const id of ids)
    if (!all.some((bug) => bug.id.startsWith(id)))
      throw new Error(`No bug of the bank has an id that begins with "${id}".`);
  const named = ids.length === 0 ? all : all.filter((bug) => ids.some((id) => bug.id.startsWith(id)));
  const count = Math.ceil(named.length * share);
  const places = new Map(named.map((bug) => [bug, placeOf(bug.id, seed)]));
  const chosen = new Set(
    named.toSorted((a, b) => ((places.get(a) ?? '') < (places.get(b) ?? '') ? -1 : 1)).slice(0, count),
  );
  return named.filter((bug) => chosen.has(bug));
}

function placeOf(id: string, seed: number): string {
  return createHash('sha256').update(`${seed} ${id}`).digest('hex');
}
