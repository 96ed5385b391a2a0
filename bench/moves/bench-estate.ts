// An estate with many small volumes in two groups on two appliances: hundreds of moves can run at
// once, and each crosses appliances.
import { type Estate, estateSchema } from '../../contracts/estate.js';

export const VOLUMES = 256;
export const VOLUME_MIB = 1;
export const GROUPS = ['cg-a', 'cg-b'] as const;
export type GroupName = (typeof GROUPS)[number];

/** Most volumes of a group: all may end up in one, and running moves reserve room. */
const GROUP_VOLUMES_MAX = 1_024;
const ANY_PORT = { port: 0 };

export function volumeName(index: number): string {
  return `vm-${index}-disk-0`;
}

/** The group in which a volume starts: they alternate. */
export function firstGroup(index: number): GroupName {
  return GROUPS[index % 2 === 0 ? 0 : 1];
}

export function benchEstate(): Estate {
  const volumes = Array.from({ length: VOLUMES }, (_, index) => ({
    id: volumeName(index),
    sizeMiB: VOLUME_MIB,
    group: firstGroup(index),
  }));
  return estateSchema.parse({
    temporal: { port: 0, uiPort: 0 },
    replicaSite: { control: ANY_PORT },
    appliances: GROUPS.map((group) => ({ id: applianceOf(group), control: ANY_PORT, nbd: ANY_PORT })),
    splitters: [{ id: 'host-1', control: ANY_PORT, nbd: ANY_PORT, volumes }],
    groups: GROUPS.map((id) => ({ id, appliance: applianceOf(id), volumesMax: GROUP_VOLUMES_MAX })),
    worker: { health: ANY_PORT },
  });
}

function applianceOf(group: GroupName): string {
  return `appliance-${group}`;
}
