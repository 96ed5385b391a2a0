// Sizes of volumes on the command line: a whole number with its unit, so that nobody means MB.
import { InvalidArgumentError } from 'commander';

const MIB_OF: Readonly<Record<string, number>> = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 };

/** @throws InvalidArgumentError */
export function sizeInMiB(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,9})(MiB|GiB|TiB)$/.exec(text) ?? [];
  const factor = MIB_OF[unit];
  if (factor === undefined) throw new InvalidArgumentError('Give a whole number with its unit: 96MiB, 2GiB or 1TiB.');
  return Number(digits) * factor;
}
