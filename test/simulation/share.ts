// Which runs a share of the simulation has, by number: the same numbers are the same runs anywhere.
import type { Mix } from './mixes.js';

export interface Share {
  /** Names of the mixes. Each seed runs under all of them before the next seed begins. */
  readonly mixes: readonly string[];
  readonly firstSeed: number;
  readonly runs: number;
}

/** A share's run by its number, from 0. */
export function runOf(share: Share, number: number): { readonly mix: string; readonly seed: number } {
  const mix = share.mixes[number % share.mixes.length];
  if (mix === undefined) throw new Error('a share has mixes');
  return { mix, seed: share.firstSeed + Math.floor(number / share.mixes.length) };
}

/** @throws Error when no mix has that name */
export function mixNamed(mixes: readonly Mix[], name: string): Mix {
  const found = mixes.find((mix) => mix.name === name);
  if (found === undefined) throw new Error(`There is no mix "${name}".`);
  return found;
}
