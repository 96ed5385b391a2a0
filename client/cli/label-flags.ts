// The flag --label of commands about volumes, which may be repeated.
import { type Labels, labelsOfQuery } from '../../contracts/inventory.js';

/** Gathers the values of a repeated flag, for commander. */
export function gathered(word: string, before: readonly string[]): readonly string[] {
  return [...before, word];
}

/** @param words each as `name=value` @throws MoverError INVALID_REQUEST */
export function labelsOf(words: readonly string[]): Labels {
  return Object.fromEntries(words.flatMap((word) => Object.entries(labelsOfQuery(word))));
}
