// The life of volumes and groups at run time: what a person may add, set, retire and forget.
// Each call may be repeated, and with `dryRun` it says what it would do or every reason against it.
import { z } from 'zod';
import { endpointSchema } from './attempt.js';
import { estateGroupSchema, estateVolumeSchema } from './estate.js';
import { MoverError, type Reason } from './errors.js';
import { groupIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from './ids.js';
import { vmSchema } from './inventory.js';
import { retentionChangeSchema } from './retention.js';
import { operation } from './route.js';

const dryRun = z.boolean().default(false);
/** Whether something was changed, or would be. False for a repetition. */
export const changedSchema = z.strictObject({ changed: z.boolean() });
export type Changed = z.infer<typeof changedSchema>;

/**
 * Refuses a change for all its reasons; does nothing without one.
 * @throws MoverError CHANGE_REFUSED
 */
export function refuseChange(what: string, reasons: readonly Reason[]): void {
  if (reasons.length === 0) return;
  // Some reasons are sentences of their own.
  const listed = reasons.map(({ message }) => message.replace(/\.$/, '')).join('; ');
  throw new MoverError('CHANGE_REFUSED', `${what}: ${listed}.`, { reasons });
}

/**
 * Refuses to forget a volume unless `confirm` is its name once more.
 * @throws MoverError INVALID_REQUEST
 */
export function refuseUnconfirmed({
  volume,
  confirm,
}: {
  readonly volume: VolumeId;
  readonly confirm: VolumeId;
}): void {
  if (volume !== confirm)
    throw new MoverError(
      'INVALID_REQUEST',
      `confirm: give the volume's name, "${volume}", once more. Nothing was changed.`,
    );
}

const { appliance, pointEveryMs, volumesMax, rpoMsMax, retention } = estateGroupSchema.shape;
/** A group with all its settings. */
const groupInputSchema = z.strictObject({
  group: groupIdSchema,
  appliance,
  pointEveryMs,
  volumesMax,
  rpoMsMax,
  retention,
  dryRun,
});
export type GroupChange = z.output<typeof groupInputSchema>;

const { sizeMiB, group, vm, labels } = estateVolumeSchema.shape;
const siteVolumeInputSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  sizeMiB,
  group,
  vm,
  labels,
  dryRun,
});
export type SiteVolumeChange = z.output<typeof siteVolumeInputSchema>;

const growInputSchema = z.strictObject({ volume: volumeIdSchema, sizeMiB, dryRun });
export type VolumeGrowth = z.output<typeof growInputSchema>;

/** The replica site's side. Every appliance passes it on. */
export const siteLifecycleApi = {
  addVolume: operation({
    method: 'POST',
    path: '/v1/volumes/add',
    roles: ['admin'],
    summary: 'Add a volume, which its splitter then attaches. Refused with every reason at once. May be repeated.',
    input: siteVolumeInputSchema,
    output: changedSchema,
  }),
  setVolume: operation({
    method: 'POST',
    path: '/v1/volumes/set',
    roles: ['admin'],
    summary: 'Change the names of a volume, by which people select it: its VM, its labels. May be repeated.',
    input: z.strictObject({
      volume: volumeIdSchema,
      /** null: it belongs to no VM. Absent: as it is. */
      vm: vmSchema.nullable().optional(),
      /** All labels that it has from now on. Absent: as they are. */
      labels,
      dryRun,
    }),
    output: changedSchema,
  }),
  growVolume: operation({
    method: 'POST',
    path: '/v1/volumes/grow',
    roles: ['admin'],
    summary:
      'Accept a larger size of a volume, before its splitter has it. Earlier recovery points keep the size that they were closed with. Refused with every reason at once. May be repeated.',
    input: growInputSchema,
    output: changedSchema,
  }),
  retireVolume: operation({
    method: 'POST',
    path: '/v1/volumes/retire',
    roles: ['admin'],
    summary:
      'End a volume’s replication: it leaves its group, and nothing of it is accepted any more. Its recovery points are kept as long as they were promised. Its splitter must have stopped serving it. May be repeated.',
    input: z.strictObject({ volume: volumeIdSchema, dryRun }),
    output: changedSchema,
  }),
  forgetVolume: operation({
    method: 'POST',
    path: '/v1/volumes/forget',
    roles: ['admin'],
    summary:
      'Remove all that is left of a retired volume: its place in recovery points, its bookmarks, its journal, its rows. Refused while a bookmark that contains it is promised, or an image of it is open. May be repeated.',
    input: z.strictObject({ volume: volumeIdSchema, confirm: volumeIdSchema, dryRun }),
    output: changedSchema,
  }),
  addGroup: operation({
    method: 'POST',
    path: '/v1/groups/add',
    roles: ['admin'],
    summary: 'Add a group, or bring a retired one back. Refused with every reason at once. May be repeated.',
    input: groupInputSchema,
    output: changedSchema,
  }),
  setGroup: operation({
    method: 'POST',
    path: '/v1/groups/set',
    roles: ['admin'],
    summary:
      'Change a group’s settings: those that are given. Its appliance can change only while it owns no volumes. May be repeated.',
    input: z.strictObject({
      group: groupIdSchema,
      appliance: appliance.optional(),
      pointEveryMs: pointEveryMs.unwrap().optional(),
      volumesMax: volumesMax.unwrap().optional(),
      /** null: what its interval of points allows. Absent: as it is. */
      rpoMsMax: rpoMsMax.unwrap().nullable().optional(),
      /** Periods that are left out stay as they are. */
      retention: retentionChangeSchema.optional(),
      dryRun,
    }),
    output: changedSchema,
  }),
  retireGroup: operation({
    method: 'POST',
    path: '/v1/groups/retire',
    roles: ['admin'],
    summary:
      'End a group that owns no volumes: no points of it are closed any more. Those it has are kept as long as its policy says. May be repeated.',
    input: z.strictObject({ group: groupIdSchema, dryRun }),
    output: changedSchema,
  }),
} as const;

/** The splitter's side. */
export const splitterLifecycleApi = {
  addVolume: operation({
    method: 'POST',
    path: '/v1/volumes/add',
    roles: ['admin'],
    summary:
      'Serve and protect one more volume. The replica site must have it already. Refused with every reason at once. May be repeated.',
    input: z.strictObject({ volume: volumeIdSchema, sizeMiB, to: endpointSchema, dryRun }),
    output: changedSchema,
  }),
  growVolume: operation({
    method: 'POST',
    path: '/v1/volumes/grow',
    roles: ['admin'],
    summary:
      'Make a volume larger: its disk, and what guests see at their next connection. The replica site must have accepted the size. Refused with every reason at once. May be repeated.',
    input: growInputSchema,
    output: changedSchema,
  }),
  retireVolume: operation({
    method: 'POST',
    path: '/v1/volumes/retire',
    roles: ['admin'],
    summary:
      'Serve and protect a volume no more. Its disk stays where it is. Refused while a guest has it open, a move concerns it, or not all of it has reached the replica site. May be repeated.',
    input: z.strictObject({
      volume: volumeIdSchema,
      /** Retires it although not everything of it has reached the replica site. */
      unsynced: z.boolean().default(false),
      dryRun,
    }),
    output: changedSchema,
  }),
  forgetVolume: operation({
    method: 'POST',
    path: '/v1/volumes/forget',
    roles: ['admin'],
    summary:
      'Remove what the splitter remembers of a retired volume, so that its name is free. Its disk stays where it is. A volume that was never here is left alone. May be repeated.',
    input: z.strictObject({ volume: volumeIdSchema, confirm: volumeIdSchema, dryRun }),
    output: changedSchema,
  }),
} as const;
