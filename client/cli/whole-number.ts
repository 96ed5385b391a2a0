// A whole number on the command line.
import { InvalidArgumentError } from 'commander';

/** Parses a whole number from 1 on. */
export function wholeNumber(word: string): number {
  const number = Number(word);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return number;
}
