// Selects the volumes of a batch's selector, page by page from the inventory.
import type { Selector } from '../../contracts/batch.js';
import { type InventoryVolume, labelsQuery } from '../../contracts/inventory.js';
import type { GroupId } from '../../contracts/ids.js';
import { anyAppliance, type Ports } from '../../control/ports.js';

/**
 * Every volume that matches the whole selector, sorted by id.
 * @param page called after each page, to report progress
 * @throws MoverError INVALID_REQUEST for labels that no volume can have, UNREACHABLE
 */
export async function selectVolumes(
  ports: Ports,
  select: Selector,
  page: (soFar: number) => void = () => undefined,
): Promise<InventoryVolume[]> {
  const groups = groupsOf(select);
  const [only] = groups ?? [];
  const filter = {
    ...(groups?.length === 1 && only !== undefined ? { group: only } : {}),
    ...(select.name === undefined ? {} : { namePattern: select.name }),
    ...(select.vm === undefined ? {} : { vm: select.vm }),
    ...(select.labels === undefined || Object.keys(select.labels).length === 0
      ? {}
      : { labels: labelsQuery(select.labels) }),
  };
  // A volume that comes or goes between two pages may be listed twice or not at all. A map removes
  // duplicates; the check at the batch's end finds the rest.
  const found = new Map<string, InventoryVolume>();
  let cursor: string | undefined;
  do {
    const from = cursor;
    const answer = await anyAppliance(ports, ({ calls }) =>
      calls.inventory({ ...filter, ...(from === undefined ? {} : { cursor: from }) }),
    );
    for (const volume of answer.volumes)
      if (groups === undefined || groups.includes(volume.group)) found.set(volume.volume, volume);
    page(found.size);
    cursor = answer.next;
  } while (cursor !== undefined);
  return [...found.values()].sort((a, b) => compare(a.volume, b.volume));
}

export function groupsOf({ from }: Selector): readonly GroupId[] | undefined {
  return from === undefined || Array.isArray(from) ? from : [from];
}

/** Compares texts by code points, the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
