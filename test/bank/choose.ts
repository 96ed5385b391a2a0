// Chooses bugs of the bank: by id, by room, or a share that a seed decides.
import { createHash } from 'node:crypto';
import { bank, type BankedBug } from './bank.js';

export interface Choice {
  /** Whole ids, or the first part of ids. */
  readonly ids: readonly string[];
  /** Share of the bugs: above 0, up to 1. */
  readonly share: number;
  readonly seed: number;
}

/** The number that an option was given. @throws Error that names the option when it is none */
export function wholeOf(option: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`${option}: "${text}" is not a whole number. Give 0 or more.`);
}

/** @throws Error for an id that no bug has, and for a share of none or of more than all */
export function choose({ ids, share, seed }: Choice, all: readonly BankedBug[] = bank): readonly BankedBug[] {
  if (!(share > 0 && share <= 1)) throw new Error('--share: give a number above 0 and up to 1, as 0.1.');
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
