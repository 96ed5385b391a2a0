// An estate with any number of small volumes behind one splitter, in pairs of groups on two
// appliances: a batch takes each volume to the other group of its pair.
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { type GroupId, groupIdSchema } from '../../contracts/ids.js';

export const VOLUME_MIB = 1;
/** Volumes of one group. Few, as every move into a group closes a point that names each member. */
export const GROUP_VOLUMES = 100;
/**
 * Interval of points, ms. Long, because this benchmark is about moves: points of resting volumes
 * are a load that grows with their number.
 */
export const POINT_EVERY_MS = 60_000;
/** Most warm-up moves: a move's CPU time falls for some 200 moves, until hot paths are compiled. */
const WARM_UP_VOLUMES_MAX = 200;

const APPLIANCES = ['appliance-1', 'appliance-2'] as const;
const ANY_PORT = { port: 0 };

/** Two groups on two appliances; their volumes start in `first`. */
export interface GroupPair {
  readonly first: GroupId;
  readonly second: GroupId;
}

export interface BatchEstate {
  readonly estate: Estate;
  /** Pairs of the measured volumes. */
  readonly pairs: readonly GroupPair[];
  readonly warmUpPairs: readonly GroupPair[];
}

/** How many volumes to add for warming up. */
export function warmUpVolumesOf(volumes: number): number {
  return Math.min(WARM_UP_VOLUMES_MAX, volumes);
}

/** Makes the estate. @param volumes number of measured volumes */
export function batchEstate(volumes: number, warmUpVolumes: number): BatchEstate {
  const measured = part('cg', 'vm', volumes);
  const warmUp = part('warm', 'warm', warmUpVolumes);
  const estate = estateSchema.parse({
    temporal: { port: 0, uiPort: 0 },
    replicaSite: { control: ANY_PORT },
    appliances: APPLIANCES.map((id) => ({ id, control: ANY_PORT, nbd: ANY_PORT })),
    splitters: [{ id: 'host-1', control: ANY_PORT, nbd: ANY_PORT, volumes: [...measured.volumes, ...warmUp.volumes] }],
    groups: [...measured.groups, ...warmUp.groups],
    worker: { health: ANY_PORT },
  });
  return { estate, pairs: measured.pairs, warmUpPairs: warmUp.pairs };
}

function part(group: string, vm: string, count: number) {
  const pairs = Array.from({ length: Math.ceil(count / GROUP_VOLUMES) }, (_, i) => ({
    first: groupIdSchema.parse(`${group}-${i}-a`),
    second: groupIdSchema.parse(`${group}-${i}-b`),
  }));
  return {
    pairs,
    groups: pairs.flatMap(({ first, second }, i) => [
      // The appliances alternate from pair to pair, so that both send and receive.
      { id: first, appliance: APPLIANCES[i % 2], pointEveryMs: POINT_EVERY_MS },
      { id: second, appliance: APPLIANCES[(i + 1) % 2], pointEveryMs: POINT_EVERY_MS },
    ]),
    volumes: Array.from({ length: count }, (_, i) => ({
      id: `${vm}-${i}-disk-0`,
      sizeMiB: VOLUME_MIB,
      group: pairs[Math.floor(i / GROUP_VOLUMES)]?.first,
    })),
  };
}
