// The context `base:allocation` of a disk: which parts of its file are holes.
import type { DeviceContexts } from '../../nbd/block-device.js';
import { Allocation, BASE_ALLOCATION } from '../../nbd/meta-context.js';
import type { Allocated } from './holes.js';

/** Most parts that are looked up for one answer: each costs two calls of the thread pool. */
export const PARTS_MAX = 1_024;

/** The contexts of a disk that knows its holes and nothing more. */
export function allocationOf(
  parts: (offset: number, length: number, countMax: number) => Promise<readonly Allocated[]>,
): DeviceContexts {
  const context = {
    name: BASE_ALLOCATION,
    extents: async (offset: number, length: number) =>
      (await parts(offset, length, PARTS_MAX)).map((part) => ({ length: part.length, flags: flagsOf(part) })),
  };
  return { list: () => [context.name], open: (name) => (name === context.name ? context : undefined) };
}

function flagsOf({ isHole }: Allocated): number {
  return isHole ? Allocation.hole + Allocation.zero : 0;
}
