// Image access: recovery points opened as NBD disks at an appliance. It holds them open until they
// are closed or their time is up.
import { hostname } from 'node:os';
import { requireGroup } from '../../control/site-lookup.js';
import { anyAppliance, type AppliancePort, type Ports } from '../../control/ports.js';
import { isSilence, MoverError, parseOrRefuse } from '../../contracts/errors.js';
import type { ApplianceId } from '../../contracts/ids.js';
import {
  type Access,
  type AccessExport,
  type AccessId,
  openAccessInputSchema,
  type OpenAccessInput,
} from '../../contracts/images.js';
import { momentMs } from '../../contracts/moment.js';
import { imageAddressOf, imageUri } from './image-address.js';

/**
 * Longest wait for an opening, ms. An opening takes longer the more has changed since the point.
 */
export const OPENING_MS_MAX = 90_000;

export type OpenImageInput = Omit<OpenAccessInput, 'client' | 'atMs'> & {
  /** A time: milliseconds since 1970-01-01 UTC, or text such as "2026-11-23T10:00:00Z" or "-2h". */
  readonly atMs?: number | string | undefined;
  /** Who asks. Default: this program on this host. */
  readonly client?: string | undefined;
};

/** An access with its address. */
export interface ListedAccess extends Omit<Access, 'exports'> {
  readonly appliance: ApplianceId;
  readonly exports: readonly (AccessExport & {
    /** The URI for nbdcopy, qemu and similar tools; only while the access is open. */
    readonly uri?: string;
  })[];
}

export interface ListedAccesses {
  /** Newest first: open ones, then ended ones. */
  readonly accesses: ListedAccess[];
  /** Appliances that did not answer. Their accesses are missing from the list. */
  readonly unreachable: ApplianceId[];
}

/**
 * Opens an access, at the group's own appliance if it answers; any appliance can serve every
 * volume's images.
 * @throws MoverError INVALID_REQUEST, GROUP_NOT_FOUND, VOLUME_NOT_FOUND, POINT_NOT_FOUND,
 * POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT, ACCESS_MISMATCH, STORAGE_FULL, STORAGE_FAILED,
 * SHUTTING_DOWN, LINK_DOWN, UNREACHABLE; the signal's reason
 */
export async function openAccess(ports: Ports, given: OpenImageInput, signal?: AbortSignal): Promise<ListedAccess> {
  const { client = `volume-mover@${hostname()}`, ...rest } = given;
  const atMs = given.atMs === undefined ? undefined : momentMs(given.atMs, 'atMs', Date.now());
  const fields = Object.fromEntries(
    Object.entries({ ...rest, atMs, client }).filter(([, value]) => value !== undefined),
  );
  const input = parseOrRefuse(openAccessInputSchema, fields, 'access');
  const preferred = input.group === undefined ? undefined : (await requireGroup(ports, input.group)).appliance;
  return anyAppliance(withFirst(ports, preferred), async (appliance) => {
    const access = await appliance.calls.openAccess(input, signal === undefined ? {} : { signal });
    return listed(appliance, access);
  });
}

/** Lists accesses. @throws MoverError UNREACHABLE when no appliance answers */
export async function listAccesses(ports: Ports): Promise<ListedAccesses> {
  const answers = await Promise.all([...ports.appliances.values()].map((appliance) => accessesOf(appliance)));
  const unreachable = answers.flatMap((answer) => ('unreachable' in answer ? [answer.unreachable] : []));
  if (unreachable.length === answers.length)
    throw new MoverError('UNREACHABLE', `No appliance answers: ${unreachable.join(', ')}.`);
  const accesses = answers.flatMap((answer) => ('accesses' in answer ? answer.accesses : []));
  const rank = ({ ended }: ListedAccess): number => ended?.atMs ?? Number.POSITIVE_INFINITY;
  return {
    accesses: accesses.toSorted((a, b) => (rank(a) === rank(b) ? b.openedAtMs - a.openedAtMs : rank(b) - rank(a))),
    unreachable,
  };
}

/**
 * Finds an access. @throws MoverError ACCESS_NOT_FOUND; UNREACHABLE when an appliance that does not
 * answer may have it
 */
export async function getAccess(ports: Ports, access: AccessId): Promise<ListedAccess> {
  const { accesses, unreachable } = await listAccesses(ports);
  const found = accesses.find(({ id }) => id === access);
  if (found !== undefined) return found;
  if (unreachable.length > 0)
    throw new MoverError(
      'UNREACHABLE',
      `No answer from ${unreachable.join(', ')}: image access "${access}" may be there, and nothing was changed.`,
    );
  throw noSuchAccess(access);
}

/**
 * Closes an access. Closing it again is no error.
 * @throws MoverError ACCESS_NOT_FOUND; UNREACHABLE when an appliance that does not answer may have
 * it
 */
export async function closeAccess(ports: Ports, access: AccessId, client?: string): Promise<ListedAccess> {
  const found: ListedAccess[] = [];
  let unreachable: MoverError | undefined;
  for (const appliance of ports.appliances.values()) {
    try {
      const closed = await appliance.calls.closeAccess({ access, client: client ?? `volume-mover@${hostname()}` });
      found.push(await listed(appliance, closed));
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      if (isSilence(error)) unreachable = error;
      else if (error.code !== 'ACCESS_NOT_FOUND') throw error;
    }
  }
  const [first] = found;
  if (first !== undefined) return first;
  throw unreachable ?? noSuchAccess(access);
}

function noSuchAccess(access: AccessId): MoverError {
  return new MoverError('ACCESS_NOT_FOUND', `There is no image access "${access}".`);
}

async function accessesOf(
  appliance: AppliancePort,
): Promise<{ readonly accesses: ListedAccess[] } | { readonly unreachable: ApplianceId }> {
  try {
    const { accesses } = await appliance.calls.listAccesses({});
    return { accesses: await Promise.all(accesses.map((access) => listed(appliance, access))) };
  } catch (error) {
    if (isSilence(error)) return { unreachable: appliance.id };
    throw error;
  }
}

async function listed(appliance: AppliancePort, access: Access): Promise<ListedAccess> {
  if (access.ended !== undefined) return { ...access, appliance: appliance.id };
  const address = await imageAddressOf(appliance);
  const exports = access.exports.map((each) => ({ ...each, uri: imageUri(address, each.name) }));
  return { ...access, appliance: appliance.id, exports };
}

function withFirst(ports: Ports, preferred: ApplianceId | undefined): Ports {
  const port = preferred === undefined ? undefined : ports.appliances.get(preferred);
  if (port === undefined) return ports;
  return { ...ports, appliances: new Map([[port.id, port], ...ports.appliances]) };
}
