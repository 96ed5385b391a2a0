// Any number of small volumes behind one splitter, in pairs of groups on two appliances: a batch
// takes each to the other group of its pair.
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { type GroupId, groupIdSchema } from '../../contracts/ids.js';

export const VOLUME_MIB = 1;
/**
 * Far below what a group may hold: every move into a group closes a point of it that names each
 * member.
 */
export const GROUP_VOLUMES = 100;
/**
 * The benchmark is about moves: points of volumes that rest are a load that grows with their
 * number.
 */
export const POINT_EVERY_MS = 60_000;
/**
 * The CPU time of a move goes on falling for some 200 of them, until what runs often is compiled.
 */
const WARM_UP_VOLUMES_MAX = 200;

const APPLIANCES = ['appliance-1', 'appliance-2'] as const;
const ANY_PORT = { port: 0 };

/** Two groups on two appliances; its volumes start out in `first`. */
export interface GroupPair {
  readonly first: GroupId;
  readonly second: GroupId;
}

export interface BatchEstate {
  readonly estate: Estate;
  /** Of the volumes that are measured. */
  readonly pairs: readonly GroupPair[];
  readonly warmUpPairs: readonly GroupPair[];
}

/** How many more volumes than those measured there should be, for warming up. */
export function warmUpVolumesOf(volumes: number): number {
  return Math.min(WARM_UP_VOLUMES_MAX, volumes);
}

/** @param volumes that are measured */
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
      // Every other pair the other way round, so that both appliances send and receive.
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
