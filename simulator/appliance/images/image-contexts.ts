// What clients may ask about the blocks of an image: which are holes, and which differ from an
// earlier recovery point, so that a backup tool reads an increment.
import { MoverError } from '../../../contracts/errors.js';
import { pointIdSchema, type PointId } from '../../../contracts/ids.js';
import type { DeviceContexts } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { Allocation, BASE_ALLOCATION } from '../../../nbd/meta-context.js';
import type { MetaContext, StatusExtent } from '../../../nbd/meta-context.js';
import type { ScratchDisk, ScratchPart } from './scratch-disk.js';
import type { SiteImage } from './site-image.js';

/** Stands before the id of the earlier point in the name of the context. */
export const CHANGED_SINCE = 'volume-mover:changed-since/';
/** The flag of an extent that differs, or may; as qemu's dirty bitmaps have it. */
export const CHANGED_FLAG = 1;
const HOLE = Allocation.hole + Allocation.zero;

type Below = (offset: number, length: number) => Promise<readonly StatusExtent[]>;

/** The contexts of an image, with the scratch that lies over it. */
export function imageContexts(image: SiteImage, scratch: ScratchDisk | undefined): DeviceContexts {
  const holes: Below = async (offset, length) =>
    (await image.parts(offset, length)).map((part) => ({ length: part.length, flags: part.isHole ? HOLE : 0 }));
  const allocation = contextOf(BASE_ALLOCATION, holes, scratch, (part) => (part.from === 'zero' ? HOLE : 0));
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
  image: SiteImage,
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
  return contextOf(name, changes, scratch, () => CHANGED_FLAG);
}

function pointOf(name: string): PointId | undefined {
  if (!name.startsWith(CHANGED_SINCE)) return undefined;
  const point = pointIdSchema.safeParse(name.slice(CHANGED_SINCE.length));
  return point.success ? point.data : undefined;
}

/** A context that the scratch decides where it has blocks, and the image elsewhere. */
function contextOf(
  name: string,
  below: Below,
  scratch: ScratchDisk | undefined,
  flagsOfScratch: (part: ScratchPart) => number,
): MetaContext {
  return {
    name,
    extents: async (offset, length) => {
      try {
        const part = scratch?.partAt(offset, length);
        if (part === undefined) return await below(offset, length);
        if (part.from === 'below') return within(await below(offset, part.length), part.length);
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
