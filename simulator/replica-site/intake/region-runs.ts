// Turns byte ranges into runs of the regions that marks stand for. The caller bounds their number.
import { VERIFY_REGION_BYTES } from '../../../contracts/verify.js';

/** Neighbouring regions of 64 KiB. */
export type RegionRun = readonly [first: number, count: number];

/** Ascending runs of the regions that the ranges touch; no run touches the next. */
export function regionRuns(ranges: Iterable<{ readonly offset: number; readonly length: number }>): RegionRun[] {
  const regions = new Set<number>();
  for (const { offset, length } of ranges) {
    const last = Math.floor((offset + length - 1) / VERIFY_REGION_BYTES);
    for (let region = Math.floor(offset / VERIFY_REGION_BYTES); region <= last; region += 1) regions.add(region);
  }
  const runs: [number, number][] = [];
  for (const region of [...regions].toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[0] + run[1] === region) run[1] += 1;
    else runs.push([region, 1]);
  }
  return runs;
}
