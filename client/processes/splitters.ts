// Splitters that come and go while everything runs. A splitter runs on the host of its guests: what
// it protects goes away with the guests, or when a person ends its replication.
import { anyAppliance, orNothing, type Ports, splitterOf } from '../../control/ports.js';
import { findInventory, findRetiredProcesses } from '../../control/site-lookup.js';
import type { Reason } from '../../contracts/errors.js';
import type { SplitterId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { Changed } from '../../contracts/lifecycle.js';
import { against, refuse, retireVolume } from '../volumes/lifecycle.js';
import { inUse, notInFile, whoAnswers } from './process-reasons.js';

export interface SplitterOrder {
  readonly splitter: SplitterId;
  /** Only says what would be done, or every reason against it. */
  readonly dryRun?: boolean | undefined;
}

/** A volume that keeps its splitter in use. */
export interface DrainedVolume extends Pick<InventoryVolume, 'volume' | 'group' | 'vm' | 'sizeBytes'> {
  /** What stands against retiring it now; empty if nothing does. */
  readonly reasons: readonly Reason[];
}

/**
 * Takes a splitter into use: a new one, or a retired one again.
 * @throws MoverError CHANGE_REFUSED with every reason, UNREACHABLE
 */
export async function addSplitter(ports: Ports, { splitter, dryRun = false }: SplitterOrder): Promise<Changed> {
  const port = ports.splitters.get(splitter);
  refuse(
    `Splitter "${splitter}" cannot be added`,
    port === undefined
      ? [notInFile('splitter', splitter)]
      : await whoAnswers('splitter', splitter, port.calls.health({})),
  );
  return anyAppliance(ports, ({ calls }) => calls.addSplitter({ splitter, dryRun }));
}

/**
 * Lists what has to leave a splitter before it is retired, and what stands against it. Changes
 * nothing: a disk is brought to another host by the hypervisor.
 * @throws MoverError UNREACHABLE, also when the splitter does not answer
 */
export async function drainSplitter(ports: Ports, splitter: SplitterId): Promise<DrainedVolume[]> {
  await splitterOf(ports, splitter).calls.health({});
  const drained: DrainedVolume[] = [];
  for (const { volume, group, vm, sizeBytes, splitter: owner } of await findInventory(ports)) {
    if (owner !== splitter) continue;
    const reasons: Reason[] = [];
    await against(reasons, volume, retireVolume(ports, { volume, dryRun: true }));
    drained.push({ volume, group, ...(vm === undefined ? {} : { vm }), sizeBytes, reasons });
  }
  return drained;
}

/**
 * Ends the use of a splitter that protects nothing any more, whether it still answers or not.
 * @throws MoverError CHANGE_REFUSED with every reason, UNREACHABLE
 */
export async function retireSplitter(ports: Ports, { splitter, dryRun = false }: SplitterOrder): Promise<Changed> {
  const reasons: Reason[] = [];
  const port = ports.splitters.get(splitter);
  if (port === undefined && !(await findRetiredProcesses(ports)).splitters.has(splitter))
    reasons.push(notInFile('splitter', splitter));
  const call = async (isDry: boolean): Promise<Changed> =>
    anyAppliance(ports, ({ calls }) => calls.retireSplitter({ splitter, dryRun: isDry }));
  await against(reasons, splitter, call(true));
  if (port !== undefined) {
    const atSite = new Set((await findInventory(ports)).map(({ volume }) => volume));
    const served = await orNothing(port.calls.inventory({}).then(({ volumes }) => volumes));
    for (const { volume } of served)
      if (!atSite.has(volume))
        reasons.push(inUse(volume, `it serves volume "${volume}", which the replica site does not protect`));
  }
  refuse(`Splitter "${splitter}" cannot be retired`, reasons);
  return call(dryRun);
}
