// Volumes and groups that are added, changed and retired at run time. Every process concerned is
// asked first what stands against it; then each is changed, in an order that may be repeated from
// any point.
import { type AppliancePort, anyAppliance, missingFrom, type Ports, type SplitterPort } from '../../control/ports.js';
import {
  endpointOf,
  findGroup,
  type GroupPlace,
  orUndefined,
  requireGroup,
  requireVolume,
} from '../../control/site-lookup.js';
import type { Endpoint } from '../../contracts/attempt.js';
import { type ErrorCode, ERRORS, MoverError, type Reason } from '../../contracts/errors.js';
import type { ApplianceId, GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Labels } from '../../contracts/inventory.js';
import { type Changed, refuseUnconfirmed, type splitterLifecycleApi } from '../../contracts/lifecycle.js';
import type { RetentionPolicy } from '../../contracts/retention.js';
import type { InputOf } from '../../contracts/route.js';

export interface AddVolumeOrder {
  readonly volume: VolumeId;
  readonly splitter: SplitterId;
  readonly sizeMiB: number;
  readonly group: GroupId;
  readonly vm?: string | undefined;
  readonly labels?: Labels | undefined;
  /** Only says what would be done, or every reason against it. */
  readonly dryRun?: boolean | undefined;
}

export interface GrowVolumeOrder {
  readonly volume: VolumeId;
  readonly sizeMiB: number;
  readonly dryRun?: boolean | undefined;
}

export interface SetVolumeOrder {
  readonly volume: VolumeId;
  /** The virtual machine that owns the disk; null: none. Default: as it is. */
  readonly vm?: string | null | undefined;
  /** All labels that it has from now on. Default: as they are. */
  readonly labels?: Labels | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface RetireVolumeOrder {
  readonly volume: VolumeId;
  /** Retires it although not everything of it has reached the replica site. */
  readonly unsynced?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface ForgetVolumeOrder {
  readonly volume: VolumeId;
  /** The volume's name once more: what is removed does not come back. */
  readonly confirm: VolumeId;
  readonly dryRun?: boolean | undefined;
}

export interface SetGroupOrder {
  readonly group: GroupId;
  /** Can change only while the group owns no volumes. */
  readonly appliance?: ApplianceId | undefined;
  readonly pointEveryMs?: number | undefined;
  readonly volumesMax?: number | undefined;
  /** Its RPO, ms. null: what its interval of points allows. */
  readonly rpoMsMax?: number | null | undefined;
  /** The periods that are given. Default: those of the group, or the policy's own for a new one. */
  readonly retention?: Partial<RetentionPolicy> | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface AddGroupOrder extends SetGroupOrder {
  readonly appliance: ApplianceId;
  readonly rpoMsMax?: number | undefined;
}

export interface RetireGroupOrder {
  readonly group: GroupId;
  readonly dryRun?: boolean | undefined;
}

/** Asks one process, or notes why it refuses. */
export async function against(reasons: Reason[], subject: string, ask: Promise<Changed>): Promise<boolean> {
  try {
    return (await ask).changed;
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    const { code, message } = error;
    reasons.push(...(error.reasons.length > 0 ? error.reasons : [{ code, subject, message }]));
    return false;
  }
}

/**
 * @throws MoverError CHANGE_REFUSED with every reason, each once; or the first reason's own code if
 * all say that a process does not answer
 */
export function refuse(what: string, reasons: readonly Reason[]): void {
  if (reasons.length === 0) return;
  const unique = reasons.filter(
    ({ code, message }, i) => reasons.findIndex((other) => other.code === code && other.message === message) === i,
  );
  const isAway = reasons.every(({ code }) => ERRORS[code].exit === 'unreachable');
  const code = isAway ? (unique[0]?.code ?? 'UNREACHABLE') : 'CHANGE_REFUSED';
  const listed = unique.map(({ message }) => message.replace(/\.$/, '')).join('; ');
  throw new MoverError(code, `${what}: ${listed}.`, { reasons: unique });
}

/** The second step of a change. @throws MoverError CHANGE_UNFINISHED: what stands, and why */
async function secondStep<T>(stands: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    const { code, message, reasons } = error;
    throw new MoverError('CHANGE_UNFINISHED', `${stands}: ${message}`, {
      reasons: reasons.length > 0 ? reasons : [{ code, subject: 'second step', message }],
      cause: error,
    });
  }
}

/**
 * Adds a volume: at the replica site, then at its splitter. A writer is never served whose writes
 * have no place.
 * @param planned groups that are added before it, for a dry run
 * @throws MoverError CHANGE_REFUSED with every reason, CHANGE_UNFINISHED, UNREACHABLE
 */
export async function addVolume(
  ports: Ports,
  order: AddVolumeOrder,
  planned: ReadonlyMap<GroupId, GroupPlace> = new Map(),
): Promise<Changed> {
  const { volume, splitter, sizeMiB, group, vm, labels, dryRun = false } = order;
  const reasons: Reason[] = [];
  const note = (code: ErrorCode, subject: string, message: string): void =>
    void reasons.push({ code, subject, message });
  const atSite = {
    volume,
    splitter,
    sizeMiB,
    group,
    ...(vm === undefined ? {} : { vm }),
    ...(labels === undefined ? {} : { labels: { ...labels } }),
  };
  const found = planned.get(group) ?? (await findGroup(ports, group));
  const to = endpointOf(ports, found);
  if (found !== undefined && to === undefined)
    note('NOT_OWNER', group, `the estate has no appliance "${found.appliance}", which serves group "${group}"`);
  const port = ports.splitters.get(splitter);
  if (port === undefined) note('INVALID_REQUEST', splitter, missingFrom('splitter', splitter, ports.splitters));
  const add = async (toSite: boolean): Promise<Changed> =>
    anyAppliance(ports, ({ calls }) => calls.addVolume({ ...atSite, dryRun: !toSite }));
  const changes = [
    await against(reasons, volume, add(false)),
    port === undefined || to === undefined
      ? false
      : await against(reasons, splitter, port.calls.addVolume({ volume, sizeMiB, to, dryRun: true })),
  ];
  refuse(`Volume "${volume}" cannot be added`, reasons);
  const changed = changes.includes(true);
  if (dryRun || port === undefined || to === undefined) return { changed };
  await add(true);
  const serve = async (): Promise<Changed> =>
    port.calls.addVolume({ volume, sizeMiB, to: await presentRoute(ports, volume) });
  await secondStep(
    `The replica site has volume "${volume}", but splitter "${splitter}" does not serve it yet. Repeat the command, or end it: volume-mover volume retire ${volume}`,
    serve(),
  );
  return { changed };
}

/** @throws MoverError VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason; UNREACHABLE */
export async function setVolume(ports: Ports, { labels, ...order }: SetVolumeOrder): Promise<Changed> {
  const input = { ...order, ...(labels === undefined ? {} : { labels: { ...labels } }) };
  return anyAppliance(ports, ({ calls }) => calls.setVolume(input));
}

/**
 * Where the volume belongs now: a repeated call may come after a move. Read once the site has the
 * volume, since from then on its group keeps its appliance.
 * @throws MoverError VOLUME_RETIRED, VOLUME_NOT_FOUND, NOT_OWNER
 */
async function presentRoute(ports: Ports, volume: VolumeId): Promise<Endpoint> {
  const row = await requireVolume(ports, volume);
  const { group, appliance, retired } = row;
  if (retired !== undefined) throw new MoverError('VOLUME_RETIRED', `Volume "${volume}" was retired meanwhile.`);
  const to = endpointOf(ports, row);
  if (to === undefined)
    throw new MoverError('NOT_OWNER', `The estate has no appliance "${appliance}", which serves group "${group}".`);
  return to;
}

/**
 * Makes a volume larger: the replica site takes records up to the new size first, then the splitter
 * has it. A writer never meets an end that the replica does not have.
 * @throws MoverError VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason; CHANGE_UNFINISHED,
 * UNREACHABLE
 */
export async function growVolume(ports: Ports, order: GrowVolumeOrder): Promise<Changed> {
  const { volume, sizeMiB, dryRun = false } = order;
  const row = await requireVolume(ports, volume);
  const reasons: Reason[] = [];
  const port = ports.splitters.get(row.splitter);
  if (port === undefined)
    reasons.push({
      code: 'INVALID_REQUEST',
      subject: row.splitter,
      message: `the estate has no splitter "${row.splitter}", which has the disk`,
    });
  const growAtSite = async (dry: boolean): Promise<Changed> =>
    anyAppliance(ports, ({ calls }) => calls.growVolume({ volume, sizeMiB, dryRun: dry }));
  const changes = [await against(reasons, volume, growAtSite(true))];
  if (port !== undefined && row.retired === undefined)
    changes.push(await against(reasons, row.splitter, port.calls.growVolume({ volume, sizeMiB, dryRun: true })));
  refuse(`Volume "${volume}" cannot be made larger`, reasons);
  const changed = changes.includes(true);
  if (dryRun || port === undefined) return { changed };
  await growAtSite(false);
  await secondStep(
    `The replica site accepts ${sizeMiB} MiB of volume "${volume}", but splitter "${row.splitter}" has not made its disk larger yet. Repeat the command`,
    port.calls.growVolume({ volume, sizeMiB }),
  );
  return { changed };
}

/**
 * Retires a volume: its splitter stops first, so that nothing is written that the site refuses.
 * @throws MoverError VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason; CHANGE_UNFINISHED,
 * UNREACHABLE
 */
export async function retireVolume(ports: Ports, order: RetireVolumeOrder): Promise<Changed> {
  const { volume, unsynced = false, dryRun = false } = order;
  const row = await requireVolume(ports, volume);
  const reasons: Reason[] = [];
  const port = ports.splitters.get(row.splitter);
  if (port === undefined && !unsynced)
    reasons.push({
      code: 'VOLUME_NOT_FOUND',
      subject: volume,
      message: `the estate has no splitter "${row.splitter}", which may still serve volume "${volume}"`,
    });
  const changes = [
    await against(
      reasons,
      volume,
      anyAppliance(ports, ({ calls }) => calls.retireVolume({ volume, dryRun: true })),
    ),
    port === undefined
      ? false
      : await against(reasons, row.splitter, retireAt(port, { volume, unsynced, dryRun: true })),
  ];
  refuse(`Volume "${volume}" cannot be retired`, reasons);
  const changed = changes.includes(true);
  if (dryRun) return { changed };
  if (port !== undefined) await retireAt(port, { volume, unsynced, dryRun: false });
  await secondStep(
    `Volume "${volume}" is served no more, but the replica site still has it in group "${row.group}". Repeat the command`,
    anyAppliance(ports, ({ calls }) => calls.retireVolume({ volume })),
  );
  return { changed };
}

/**
 * Removes all that is left of a retired volume, but its disk: at the replica site, then at every
 * splitter that still has its row. The site's row is the one that names its splitter, so a repeated
 * call asks them all. A name that nobody has is left alone.
 * @throws MoverError INVALID_REQUEST unless `confirm` is the volume's name; CHANGE_REFUSED with
 * every reason; CHANGE_UNFINISHED, UNREACHABLE
 */
export async function forgetVolume(ports: Ports, order: ForgetVolumeOrder): Promise<Changed> {
  const { volume, confirm, dryRun = false } = order;
  refuseUnconfirmed(order);
  const forgetAtSite = async (dry: boolean): Promise<Changed> =>
    unlessUnknown(anyAppliance(ports, ({ calls }) => calls.forgetVolume({ volume, confirm, dryRun: dry })));
  const reasons: Reason[] = [];
  const changes = [await against(reasons, volume, forgetAtSite(true))];
  for (const [id, { calls }] of ports.splitters)
    changes.push(await against(reasons, id, calls.forgetVolume({ volume, confirm, dryRun: true })));
  refuse(`Volume "${volume}" cannot be forgotten`, reasons);
  const changed = changes.includes(true);
  if (dryRun || !changed) return { changed };
  await forgetAtSite(false);
  for (const [id, { calls }] of ports.splitters)
    await secondStep(
      `The replica site has forgotten volume "${volume}", but splitter "${id}" may still have its row. Repeat the command`,
      calls.forgetVolume({ volume, confirm }),
    );
  return { changed };
}

/** Retires the volume at its splitter. One that does not have it has nothing to stop. */
async function retireAt(
  { calls }: SplitterPort,
  input: InputOf<typeof splitterLifecycleApi.retireVolume>,
): Promise<Changed> {
  return unlessUnknown(calls.retireVolume(input));
}

/** Takes VOLUME_NOT_FOUND for nothing to do. */
async function unlessUnknown(change: Promise<Changed>): Promise<Changed> {
  return (await orUndefined('VOLUME_NOT_FOUND', change)) ?? { changed: false };
}

/** @throws MoverError CHANGE_REFUSED with every reason; INVALID_REQUEST, UNREACHABLE */
export async function addGroup(ports: Ports, order: AddGroupOrder): Promise<Changed> {
  const port = ports.appliances.get(order.appliance);
  if (port === undefined) refuse(`Group "${order.group}" cannot be added`, [noAppliance(ports, order.appliance)]);
  return viaOwner(ports, port, ({ calls }) => calls.addGroup(order));
}

/** @throws MoverError GROUP_NOT_FOUND; CHANGE_REFUSED with every reason; UNREACHABLE */
export async function setGroup(ports: Ports, order: SetGroupOrder): Promise<Changed> {
  const group = await requireGroup(ports, order.group);
  if (order.appliance !== undefined && ports.appliances.get(order.appliance) === undefined)
    refuse(`Group "${order.group}" cannot be changed`, [noAppliance(ports, order.appliance)]);
  return viaOwner(ports, ports.appliances.get(order.appliance ?? group.appliance), ({ calls }) =>
    calls.setGroup(order),
  );
}

/** @throws MoverError GROUP_NOT_FOUND; CHANGE_REFUSED with every reason; UNREACHABLE */
export async function retireGroup(ports: Ports, order: RetireGroupOrder): Promise<Changed> {
  const group = await requireGroup(ports, order.group);
  return viaOwner(ports, ports.appliances.get(group.appliance), ({ calls }) => calls.retireGroup(order));
}

function noAppliance({ appliances }: Ports, id: ApplianceId): Reason {
  return { code: 'INVALID_REQUEST', subject: 'appliance', message: missingFrom('appliance', id, appliances) };
}

/** Asks the group's own appliance, which follows at once, or any other if that one is away. */
async function viaOwner(
  ports: Ports,
  owner: AppliancePort | undefined,
  ask: (appliance: AppliancePort) => Promise<Changed>,
): Promise<Changed> {
  if (owner === undefined) return anyAppliance(ports, ask);
  const others = [...ports.appliances].filter(([id]) => id !== owner.id);
  return anyAppliance({ ...ports, appliances: new Map([[owner.id, owner], ...others]) }, ask);
}
