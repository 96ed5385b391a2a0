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
    const served = volumes.map(({ volume, sizeBytes, route: { group, appliance } }) => ({
      volume,
      sizeBytes,
      group,
      appliance,
    }));
    return { served, unusable };
  });
  const appliances = answersOf(ports.appliances, async ({ calls }) => (await calls.describe({})).servedGroups);
  const [groups, volumes, retiredProcesses] = await Promise.all([
    findGroups(ports),
    findInventory(ports),
    findRetiredProcesses(ports),
  ]);
  return {
    groups,
    volumes,
    ...(await unlistedOf(ports, declaration, volumes)),
    retiredProcesses,
    splitters: await splitters,
    appliances: await appliances,
  };
}

/** Why declared volumes are in no listing: only a question by name tells. */
async function unlistedOf(
  ports: Ports,
  { splitters }: Estate,
  listed: readonly InventoryVolume[],
): Promise<Required<Pick<EstateSituation, 'retired' | 'unreadable'>>> {
  const known = new Set(listed.map(({ volume }) => volume));
  const retired = new Set<VolumeId>();
  const unreadable = new Map<VolumeId, string>();
  for (const { id } of splitters.flatMap(({ volumes }) => volumes)) {
    if (known.has(id)) continue;
    try {
      if ((await findVolume(ports, id))?.retired !== undefined) retired.add(id);
    } catch (error) {
      if (!(error instanceof MoverError) || error.code !== 'VOLUME_UNUSABLE') throw error;
      unreadable.set(id, error.message);
    }
  }
  return { retired, unreadable };
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
