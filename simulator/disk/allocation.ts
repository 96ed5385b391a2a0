// The context `base:allocation` of a disk: which parts of it are holes.
import type { DeviceContexts } from '../../nbd/block-device.js';
import { Allocation, BASE_ALLOCATION } from '../../nbd/meta-context.js';
import type { StatusExtent } from '../../nbd/meta-context.js';
import type { Allocated } from './holes.js';

/** Most parts that are looked up for one answer: each costs two calls of the thread pool. */
const PARTS_MAX = 1_024;
/** Parts that are looked up for a client that wants one extent: it asks again soon. */
const PARTS_FOR_ONE = 64;
/**
 * Smallest hole that is told, bytes. A client reads each stretch of data by itself, so a smaller
 * hole costs more than it saves.
 */
const HOLE_BYTES_MIN = 64 * 1024;
const HOLE = Allocation.hole + Allocation.zero;

/** The contexts of a disk that knows its holes and nothing more. */
export function allocationOf(
  parts: (offset: number, length: number, countMax: number) => Promise<readonly Allocated[]>,
): DeviceContexts {
  const context = {
    name: BASE_ALLOCATION,
    extents: async (offset: number, length: number, countMax: number) =>
      extentsOf(await parts(offset, length, countMax === 1 ? PARTS_FOR_ONE : PARTS_MAX)),
  };
  return { list: () => [context.name], open: (name) => (name === context.name ? context : undefined) };
}

/**
 * The extents of parts that follow one another. Small holes between data are told as data. The
 * first and the last part may go on outside, so they are told as they are.
 */
export function extentsOf(parts: readonly Allocated[]): StatusExtent[] {
  const runs = joined(parts, (one, other) => one.isHole === other.isHole);
  const told = runs.map(({ length, isHole }, index) => {
    const isTold = length >= HOLE_BYTES_MIN || index === 0 || index === runs.length - 1;
    return { length, flags: isHole && isTold ? HOLE : 0 };
  });
  return joined(told, (one, other) => one.flags === other.flags);
}

/** The parts with neighbours that are alike made one. */
function joined<Part extends { readonly length: number }>(
  parts: readonly Part[],
  alike: (one: Part, other: Part) => boolean,
): Part[] {
  const runs: Part[] = [];
  for (const part of parts) {
    const last = runs.at(-1);
    if (last !== undefined && alike(last, part)) runs[runs.length - 1] = { ...last, length: last.length + part.length };
    else runs.push(part);
  }
  return runs;
}
