// What runs, as each process answers: what a declaration is compared with.
import type { Ports } from '../../control/ports.js';
import { findGroups, findInventory, findRetiredProcesses, findVolume } from '../../control/site-lookup.js';
import type { Estate } from '../../contracts/estate.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { EstateSituation } from './compare-estate.js';

/** @throws MoverError UNREACHABLE when no appliance answers for the replica site */
export async function situationOf(ports: Ports, declaration: Estate): Promise<EstateSituation> {
  const splitters = answersOf(ports.splitters, async ({ calls }) => {
    const { volumes, unusable = [] } = await calls.inventory({});
    const served = volumes.map(({ volume, sizeBytes, route }) => ({ volume, sizeBytes, group: route.group }));
    return { served, unusable };
  });
  const appliances = answersOf(ports.appliances, async ({ calls }) => (await calls.describe({})).servedGroups);
  const [groups, volumes, retiredProcesses] = await Promise.all([
    findGroups(ports),
    findInventory(ports),
    findRetiredProcesses(ports),
  ]);
  const retired = await retiredOf(ports, declaration, volumes);
  return {
    groups,
    volumes,
    retired,
    retiredProcesses,
    splitters: await splitters,
    appliances: await appliances,
  };
}

/** Which declared volumes that no listing has were retired: only a question by name tells. */
async function retiredOf(
  ports: Ports,
  { splitters }: Estate,
  listed: readonly InventoryVolume[],
): Promise<ReadonlySet<VolumeId>> {
  const known = new Set(listed.map(({ volume }) => volume));
  const retired = new Set<VolumeId>();
  for (const { id } of splitters.flatMap(({ volumes }) => volumes))
    if (!known.has(id) && (await findVolume(ports, id))?.retired !== undefined) retired.add(id);
  return retired;
}

/** The answer of each process, or why there is none. */
async function answersOf<Id, Port, Answer>(
  ports: ReadonlyMap<Id, Port>,
  ask: (port: Port) => Promise<Answer>,
): Promise<Map<Id, Answer | MoverError>> {
  const asked = [...ports].map(async ([id, port]): Promise<readonly [Id, Answer | MoverError]> => {
    try {
      return [id, await ask(port)];
    } catch (error) {
      if (error instanceof MoverError) return [id, error];
      throw error;
    }
  });
  return new Map(await Promise.all(asked));
}
