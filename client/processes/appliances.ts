// Appliances that come and go while everything runs: added, drained by a batch of moves, retired.
import { anyAppliance, orNothing, type Ports } from '../../control/ports.js';
import { findGroups, findRetiredProcesses } from '../../control/site-lookup.js';
import type { BatchInput } from '../../contracts/batch.js';
import type { Reason } from '../../contracts/errors.js';
import type { ApplianceId, GroupId } from '../../contracts/ids.js';
import type { Changed } from '../../contracts/lifecycle.js';
import type { BatchClient, StartedBatch } from '../batches/batch-client.js';
import { against, refuse } from '../volumes/lifecycle.js';
import { againstTargets } from './drain-targets.js';
import { inUse, notInFile, whoAnswers } from './process-reasons.js';

export interface ApplianceOrder {
  readonly appliance: ApplianceId;
  /** Only says what would be done, or every reason against it. */
  readonly dryRun?: boolean | undefined;
}

export interface DrainApplianceOrder extends ApplianceOrder {
  /** The group that all volumes move to. Give this or `map` if there are volumes. */
  readonly to?: GroupId | undefined;
  /** The group that the volumes of each group move to. */
  readonly map?: Readonly<Record<string, GroupId>> | undefined;
  /** Options of the batch. */
  readonly options?: BatchInput['options'];
  /** Who asks, and why: kept in the reports. */
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

/** A group that the appliance serves. */
export interface DrainedGroup {
  readonly group: GroupId;
  readonly volumes: number;
  /** Where its volumes move to; absent when it has none. */
  readonly to?: GroupId;
  /** The appliance of that group. */
  readonly appliance?: ApplianceId;
}

export interface ApplianceDrain {
  readonly groups: readonly DrainedGroup[];
  /** The batch of moves, a dry run of it if one was asked for; absent when no group has volumes. */
  readonly batch?: StartedBatch;
}

/**
 * Takes an appliance into use: a new one, or a retired one again.
 * @throws MoverError CHANGE_REFUSED with every reason, UNREACHABLE
 */
export async function addAppliance(ports: Ports, { appliance, dryRun = false }: ApplianceOrder): Promise<Changed> {
  const reasons: Reason[] = [];
  const port = ports.appliances.get(appliance);
  if (port === undefined) reasons.push(notInFile('appliance', appliance));
  else {
    reasons.push(...(await whoAnswers('appliance', appliance, port.calls.health({}))));
    // Groups given to it would be in no recovery point if it did not reach the replica site.
    if (reasons.length === 0) await against(reasons, appliance, unchanged(port.calls.siteGroups({ limit: 1 })));
  }
  refuse(`Appliance "${appliance}" cannot be added`, reasons);
  return anyAppliance(ports, ({ calls }) => calls.addAppliance({ appliance, dryRun }));
}

/**
 * Ends the use of an appliance that serves nothing any more, whether it still answers or not.
 * @throws MoverError CHANGE_REFUSED with every reason, UNREACHABLE
 */
export async function retireAppliance(ports: Ports, { appliance, dryRun = false }: ApplianceOrder): Promise<Changed> {
  const reasons: Reason[] = [];
  const port = ports.appliances.get(appliance);
  const others = { ...ports, appliances: new Map([...ports.appliances].filter(([id]) => id !== appliance)) };
  const ask = others.appliances.size === 0 ? ports : others;
  const isKnown = port !== undefined || (await findRetiredProcesses(ports)).appliances.has(appliance);
  if (!isKnown) reasons.push(notInFile('appliance', appliance));
  if (port !== undefined && others.appliances.size === 0)
    reasons.push(inUse(appliance, 'it is the only appliance of the estate file: nobody else reaches the replica site'));
  const call = async (isDry: boolean): Promise<Changed> =>
    anyAppliance(ask, ({ calls }) => calls.retireAppliance({ appliance, dryRun: isDry }));
  await against(reasons, appliance, call(true));
  if (port !== undefined) {
    // One that does not answer serves no image.
    const accesses = await orNothing(port.calls.listAccesses({}).then(({ accesses }) => accesses));
    for (const { id, client, ended } of accesses)
      if (ended === undefined)
        reasons.push(inUse(id, `image access ${id} of ${client} is open at it: volume-mover close ${id}`));
  }
  refuse(`Appliance "${appliance}" cannot be retired`, reasons);
  return call(dryRun);
}

/**
 * Moves all volumes away that are protected through an appliance, in one batch. Its groups stay.
 * @throws MoverError CHANGE_REFUSED with every reason, INVALID_REQUEST, UNREACHABLE
 */
export async function drainAppliance(
  ports: Ports,
  batches: Pick<BatchClient, 'start'>,
  { appliance, to, map = {}, options, operator, reason, dryRun = false }: DrainApplianceOrder,
): Promise<ApplianceDrain> {
  const all = await findGroups(ports);
  const served = all.filter((group) => group.appliance === appliance && group.retired === undefined);
  const targets = new Map(served.map(({ group }) => [group, map[group] ?? to]));
  const port = ports.appliances.get(appliance);
  const hasVolumes = served.some(({ volumes }) => volumes > 0);
  refuse(`Appliance "${appliance}" cannot be drained`, [
    ...(port === undefined ? [notInFile('appliance', appliance)] : []),
    // The flush of a move goes through it.
    ...(port === undefined || !hasVolumes ? [] : await whoAnswers('appliance', appliance, port.calls.health({}))),
    ...againstTargets(all, served, targets, map),
  ]);
  const groups = served.map(({ group, volumes }): DrainedGroup => {
    const target = all.find((other) => other.group === targets.get(group));
    return volumes === 0 || target === undefined
      ? { group, volumes }
      : { group, volumes, to: target.group, appliance: target.appliance };
  });
  if (!hasVolumes) return { groups };
  // The same input for as long as the drain is not done: a repetition finds the batch that runs.
  const mapped = [...targets].flatMap(([group, target]) => (target === undefined ? [] : [[group, target] as const]));
  const batch = await batches.start(
    {
      select: { from: mapped.map(([group]) => group) },
      map: Object.fromEntries(mapped),
      dryRun,
      ...(options === undefined ? {} : { options }),
      ...(operator === undefined ? {} : { operator }),
      reason: reason ?? `drain of appliance ${appliance}`,
    },
    dryRun ? {} : { workflowId: `drain-${appliance}` },
  );
  return { groups, batch };
}

/** A look that changes nothing. */
async function unchanged(asked: Promise<unknown>): Promise<Changed> {
  await asked;
  return { changed: false };
}
