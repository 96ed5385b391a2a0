// The estate of this benchmark: a volume that moves around three groups, and resting volumes in a
// group of their own.
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, type GroupId, groupIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';

export const SPLITTER = 'host-1';
export const FIRST_APPLIANCE = applianceIdSchema.parse('appliance-1');
const APPLIANCES = [FIRST_APPLIANCE, applianceIdSchema.parse('appliance-2')] as const;
const MIB_PER_GIB = 1_024;

/**
 * Size of the moved volume, MiB. It is read whole at every recovery point after every move: small
 * enough that this takes seconds.
 */
export const MOVED_MIB = 8;
export const MOVED_VOLUME = volumeIdSchema.parse('vm-moved-disk-0');
/**
 * The moved volume's route, which ends where it starts. The first two moves cross appliances, the
 * third stays on one.
 */
export const WAY: readonly [GroupId, ...GroupId[]] = [
  groupIdSchema.parse('cg-a'),
  groupIdSchema.parse('cg-b'),
  groupIdSchema.parse('cg-c'),
];
export const MOVED_POINT_EVERY_MS = 4_000;

/** Group of the volumes that don't move; it has one point, closed on demand. */
export const RESTING_GROUP = groupIdSchema.parse('cg-resting');
const RESTING_POINT_EVERY_MS = 3_600_000;

/** A volume whose points are opened. */
export interface OpenedVolume {
  readonly id: VolumeId;
  readonly sizeMiB: number;
  /** MiB written, half of them before the opened point and half after it. */
  readonly changedMiB: number;
}

const CHANGED_MIB = 16;

function openedVolume(sizeMiB: number, changedMiB: number): OpenedVolume {
  return { id: volumeIdSchema.parse(`vm-${sizeMiB}-${changedMiB}-disk-0`), sizeMiB, changedMiB };
}

/** A volume that is mostly holes; compared with its replica, beside a dense one of its size. */
export const SPARSE_VOLUME = openedVolume(MIB_PER_GIB, CHANGED_MIB);
/** Volumes of three sizes with the same changes. */
export const BY_SIZE: readonly OpenedVolume[] = [
  openedVolume(64, CHANGED_MIB),
  SPARSE_VOLUME,
  openedVolume(16 * MIB_PER_GIB, CHANGED_MIB),
];
/** Volumes of one size with growing changes. */
const BY_CHANGES: readonly OpenedVolume[] = [
  openedVolume(MIB_PER_GIB, CHANGED_MIB / 4),
  SPARSE_VOLUME,
  openedVolume(MIB_PER_GIB, CHANGED_MIB * 4),
];
export const OPENED: readonly OpenedVolume[] = [...new Set([...BY_SIZE, ...BY_CHANGES])];

/** A volume whose every block is written. */
export const DENSE_VOLUME = volumeIdSchema.parse('vm-dense-disk-0');
export const DENSE_MIB = MIB_PER_GIB;

const ANY_PORT = { port: 0 };

/** A volume of 16 TiB with little in it. A MiB less: ext4 has no larger files. */
export const THIN_VOLUME = volumeIdSchema.parse('vm-thin-disk-0');
export const THIN_MIB = 16 * MIB_PER_GIB * MIB_PER_GIB - 1;
export const THIN_DATA_MIB = 70;

export function historyEstate(): Estate {
  const resting = [
    ...OPENED.map(({ id, sizeMiB }) => ({ id, sizeMiB })),
    { id: DENSE_VOLUME, sizeMiB: DENSE_MIB },
    { id: THIN_VOLUME, sizeMiB: THIN_MIB },
  ];
  return estateSchema.parse({
    temporal: { port: 0, uiPort: 0 },
    replicaSite: { control: ANY_PORT },
    appliances: APPLIANCES.map((id) => ({ id, control: ANY_PORT, nbd: ANY_PORT })),
    splitters: [
      {
        id: SPLITTER,
        control: ANY_PORT,
        nbd: ANY_PORT,
        volumes: [
          { id: MOVED_VOLUME, sizeMiB: MOVED_MIB, group: WAY[0] },
          ...resting.map((volume) => ({ ...volume, group: RESTING_GROUP })),
        ],
      },
    ],
    groups: [
      ...WAY.map((id, i) => ({ id, appliance: APPLIANCES[i % APPLIANCES.length], pointEveryMs: MOVED_POINT_EVERY_MS })),
      { id: RESTING_GROUP, appliance: FIRST_APPLIANCE, pointEveryMs: RESTING_POINT_EVERY_MS },
    ],
    worker: { health: ANY_PORT },
  });
}
