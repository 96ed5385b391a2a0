// What clients may ask about the blocks of an image: which are holes, and which differ from an
// earlier recovery point, so that a backup tool reads an increment.
import { MoverError } from '../../../contracts/errors.js';
import { pointIdSchema, type PointId } from '../../../contracts/ids.js';
import type { DeviceContexts } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { Allocation, BASE_ALLOCATION } from '../../../nbd/meta-context.js';
import type { MetaContext, StatusExtent } from '../../../nbd/meta-context.js';
import { extentsOf } from '../../disk/allocation.js';
import type { ScratchDisk, ScratchPart } from './scratch-disk.js';
import type { SiteImage } from './site-image.js';

/** The part of an image that is used here. */
export type MappedImage = Pick<SiteImage, 'held' | 'parts' | 'changes' | 'earlierPoints'>;

/** Stands before the id of the earlier point in the name of the context. */
export const CHANGED_SINCE = 'volume-mover:changed-since/';
/** The flag of an extent that differs, or may; as qemu's dirty bitmaps have it. */
export const CHANGED_FLAG = 1;
const HOLE = Allocation.hole + Allocation.zero;

type Below = (offset: number, length: number) => Promise<readonly StatusExtent[]>;
type Remembered = (offset: number, length: number, countMax: number) => Promise<readonly StatusExtent[]>;

/** The contexts of an image, with the scratch that lies over it. */
export function imageContexts(image: MappedImage, scratch: ScratchDisk | undefined): DeviceContexts {
  const holes: Below = async (offset, length) => extentsOf(await image.parts(offset, length));
  const remembered = remembering(holes, image.held.sizeBytes);
  const allocation = contextOf(BASE_ALLOCATION, remembered, scratch, (part) => (part.from === 'zero' ? HOLE : 0));
  return {
    list: async () => {
      // Listing is for people: what fails here says more when the context is opened.
      const points = await image.earlierPoints().catch(() => []);
      return [allocation.name, ...points.map((point) => `${CHANGED_SINCE}${point}`)];
    },
    open: async (name) => {
      if (name === allocation.name) return allocation;
      const since = pointOf(name);
      return since === undefined ? undefined : openChanges(image, scratch, since, name);
    },
  };
}

/** @throws NbdError EPERM with the site's reason if the changes aren't known */
async function openChanges(
  image: MappedImage,
  scratch: ScratchDisk | undefined,
  since: PointId,
  name: string,
): Promise<MetaContext> {
  const changes: Below = async (offset, length) =>
    (await image.changes(since, offset, length)).map((part) => ({
      length: part.length,
      flags: part.isChanged ? CHANGED_FLAG : 0,
    }));
  try {
    // Asked once now, so that the client hears at its choice that there is no answer.
    await changes(0, Math.min(1, image.held.sizeBytes));
  } catch (error) {
    if (error instanceof MoverError) throw new NbdError('EPERM', error.message, { cause: error });
    throw error;
  }
  return contextOf(name, remembering(changes, image.held.sizeBytes), scratch, () => CHANGED_FLAG);
}

/**
 * Keeps the site's last answer, which stays true: an image never changes. The site is asked about
 * all that follows: clients ask for 4 GiB at most, and qemu for one extent at a time.
 */
function remembering(below: Below, sizeBytes: number): Remembered {
  let start = 0;
  let extents: readonly StatusExtent[] = [];
  return async (offset, _length, countMax) => {
    const known = extentsFrom(extents, offset - start, countMax);
    if (known.length > 0) return known;
    const answer = await below(offset, sizeBytes - offset);
    [start, extents] = [offset, answer];
    return extentsFrom(answer, 0, countMax);
  };
}

/** The extents that follow the first `skipped` bytes, `countMax` of them; maybe none. */
function extentsFrom(extents: readonly StatusExtent[], skipped: number, countMax: number): readonly StatusExtent[] {
  if (skipped < 0) return [];
  let left = skipped;
  for (const [index, { length, flags }] of extents.entries()) {
    if (left < length) return [{ length: length - left, flags }, ...extents.slice(index + 1, index + countMax)];
    left -= length;
  }
  return [];
}

function pointOf(name: string): PointId | undefined {
  if (!name.startsWith(CHANGED_SINCE)) return undefined;
  const point = pointIdSchema.safeParse(name.slice(CHANGED_SINCE.length));
  return point.success ? point.data : undefined;
}

/** A context of an image with a scratch over it: where the scratch has blocks, it decides. */
function contextOf(
  name: string,
  below: Remembered,
  scratch: ScratchDisk | undefined,
  flagsOfScratch: (part: ScratchPart) => number,
): MetaContext {
  return {
    name,
    extents: async (offset, length, countMax) => {
      try {
        const part = scratch?.partAt(offset, length);
        if (part === undefined) return await below(offset, length, countMax);
        if (part.from === 'below') return within(await below(offset, part.length, countMax), part.length);
        return [{ length: part.length, flags: flagsOfScratch(part) }];
      } catch (error) {
        throw nbdErrorOfSite(error);
      }
    },
  };
}

function within(extents: readonly StatusExtent[], length: number): StatusExtent[] {
  const cut: StatusExtent[] = [];
  let left = length;
  for (const extent of extents) {
    if (left > 0) cut.push({ length: Math.min(left, extent.length), flags: extent.flags });
    left -= extent.length;
  }
  return cut;
}

/** The error that a client gets when the replica site fails. */
export function nbdErrorOfSite(error: unknown): unknown {
  if (!(error instanceof MoverError)) return error;
  return new NbdError(error.code === 'SHUTTING_DOWN' ? 'ESHUTDOWN' : 'EIO', error.message, { cause: error });
}
