// The estate file: the processes, where they listen, and where each volume starts. Users copy and
// edit it.
import { z } from 'zod';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from './ids.js';
import { labelsSchema, vmSchema } from './inventory.js';
import { countSchema, durationMsSchema } from './numbers.js';
import { GROUP_MEMBERS_MAX } from './group-size.js';
import { type Placement, placementOf, type ProtectRule, protectRuleSchema } from './protect.js';
import { retentionPolicySchema } from './retention.js';
import { workerSettingsSchema } from './worker-settings.js';

const port = z.number().int().min(0).max(65_535);
/**
 * Where a server listens. Port 0 takes a free one. `url` is the address for others when it differs
 * (containers).
 */
const listenSchema = z
  .strictObject({
    host: z.string().default('127.0.0.1'),
    port,
    url: z.url().optional(),
    /** True if the server itself speaks TLS. */
    tls: z.boolean().optional(),
  })
  .refine(({ url, tls }) => tls !== true || url === undefined || url.startsWith('https:'), {
    path: ['url'],
    error: 'must begin with https: as "tls" is true',
  });
const nbdListenSchema = z.strictObject({ host: z.string().default('127.0.0.1'), port });

/**
 * Smallest and largest virtual volume. The minimum holds whole regions of marks; 64 TiB keeps
 * offsets and regions well inside safe integers.
 */
const VOLUME_MIB_MIN = 1;
const VOLUME_MIB_MAX = 64 * 1024 * 1024;
/**
 * Points that the first period of a group's policy may hold. Each names every member, and all are
 * in memory.
 */
const POINTS_KEPT_MAX = 40_000;

/** Longest RPO of a group: a week. */
const RPO_MS_MAX = 7 * 24 * 3_600_000;

/** Rules of a file. Each is tried for every volume that is written without a group. */
const PROTECT_RULES_MAX = 1_000;

export const estateGroupSchema = z.strictObject({
  id: groupIdSchema,
  appliance: applianceIdSchema,
  pointEveryMs: durationMsSchema.min(100).max(3_600_000).default(5_000),
  volumesMax: countSchema.min(1).max(GROUP_MEMBERS_MAX).default(128),
  /**
   * How old the newest state may be to which the whole group can be recovered: its RPO. Only an
   * alert comes of it. Absent: five intervals of points, a minute at least.
   */
  rpoMsMax: durationMsSchema.min(1_000).max(RPO_MS_MAX).optional(),
  retention: retentionPolicySchema.prefault({}),
});
export type EstateGroup = z.infer<typeof estateGroupSchema>;

/** What is wrong with a group that keeps more points than it may; undefined if nothing is. */
export function pointsKeptFault({
  pointEveryMs,
  retention: { keepAllMs },
}: Pick<EstateGroup, 'pointEveryMs' | 'retention'>): string | undefined {
  if (keepAllMs / pointEveryMs <= POINTS_KEPT_MAX) return undefined;
  return `keeps ${Math.floor(keepAllMs / pointEveryMs)} points at one every ${pointEveryMs} ms; at most ${POINTS_KEPT_MAX} are accepted: shorten keepAllMs or lengthen pointEveryMs`;
}

export const estateVolumeSchema = z.strictObject({
  id: volumeIdSchema,
  sizeMiB: z.number().int().min(VOLUME_MIB_MIN).max(VOLUME_MIB_MAX),
  /**
   * The group it starts in. After a move the replica site and the splitter know the current one.
   */
  group: groupIdSchema,
  /** The virtual machine that owns the disk. A batch moves a VM's disks together. */
  vm: vmSchema.optional(),
  /** Labels by which people select volumes. */
  labels: labelsSchema.optional(),
});
export type EstateVolume = z.infer<typeof estateVolumeSchema>;

/** A volume as people write it: without a group, the rules of `protect` find it. */
const writtenVolumeSchema = estateVolumeSchema.extend({ group: groupIdSchema.optional() });

export const estateSchema = z
  .strictObject({
    /**
     * The Temporal server. What the environment says comes before it. Without both, the default
     * profile of temporal.toml names one, or it is on this machine.
     */
    temporal: z
      .strictObject({
        host: z.string().default('127.0.0.1'),
        port,
        uiPort: port,
        namespace: z.string().min(1).optional(),
        /** Whether it speaks TLS. No API key is sent to one that does not. */
        tls: z.boolean().optional(),
      })
      .optional(),
    replicaSite: z.strictObject({ control: listenSchema }),
    appliances: z
      .array(z.strictObject({ id: applianceIdSchema, control: listenSchema, nbd: nbdListenSchema }))
      .min(1)
      .max(1_000),
    splitters: z
      .array(
        z.strictObject({
          id: splitterIdSchema,
          control: listenSchema,
          nbd: nbdListenSchema,
          volumes: z.array(writtenVolumeSchema).max(100_000),
        }),
      )
      .min(1)
      .max(10_000),
    groups: z.array(estateGroupSchema).min(1).max(100_000),
    /** Find the group of volumes that are written without one. */
    protect: z.array(protectRuleSchema).max(PROTECT_RULES_MAX).default([]),
    /** What all workers of the estate have in common. */
    worker: z
      .strictObject({
        /** Where a worker answers for its health. Without it each takes a free port of loopback. */
        health: nbdListenSchema.prefault({ port: 0 }),
        ...workerSettingsSchema.shape,
      })
      .prefault({}),
  })
  .superRefine((estate, context) => {
    const refuse = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const groups = new Set<string>(estate.groups.map(({ id }) => id));
    const seen = new Map<string, Set<string>>();
    const once = (what: string, id: string, path: (string | number)[]): void => {
      const ids = seen.get(what) ?? new Set<string>();
      if (ids.has(id)) refuse(path, `${what} "${id}" is there twice`);
      seen.set(what, ids.add(id));
    };
    /** Names by which people ask for a volume or a group, in lower case, and whose they are. */
    const named = new Map<string, { readonly what: string; readonly id: string }>();
    const onceByName = (what: 'group' | 'volume', id: string, path: (string | number)[]): void => {
      const name = id.toLowerCase();
      const other = named.get(name);
      if (other === undefined) named.set(name, { what, id });
      else if (other.what === what && other.id === id) refuse(path, `${what} "${id}" is there twice`);
      else
        refuse(
          path,
          `${what} "${id}" has the name of ${other.what} "${other.id}": no two volumes or groups may have one name, in capitals or not`,
        );
    };
    estate.appliances.forEach((appliance, i) => once('appliance', appliance.id, ['appliances', i, 'id']));
    estate.groups.forEach((group, i) => {
      onceByName('group', group.id, ['groups', i, 'id']);
      const fault = pointsKeptFault(group);
      if (fault !== undefined) refuse(['groups', i, 'retention', 'keepAllMs'], fault);
      if (!estate.appliances.some((appliance) => appliance.id === group.appliance))
        refuse(['groups', i, 'appliance'], `there is no appliance "${group.appliance}"`);
    });
    estate.splitters.forEach((splitter, i) => {
      once('splitter', splitter.id, ['splitters', i, 'id']);
      splitter.volumes.forEach((volume, j) => {
        onceByName('volume', volume.id, ['splitters', i, 'volumes', j, 'id']);
        const placement = placedBy(estate.protect, volume);
        if ('refusal' in placement)
          refuse(['splitters', i, 'volumes', j, 'group'], `volume "${volume.id}" ${placement.refusal}`);
        else if (!groups.has(placement.group))
          refuse(['splitters', i, 'volumes', j, 'group'], `there is no group "${placement.group}"`);
      });
    });
    estate.protect.forEach(({ group }, i) => {
      if (!groups.has(group)) refuse(['protect', i, 'group'], `there is no group "${group}"`);
    });
  })
  .transform((estate) => ({
    ...estate,
    splitters: estate.splitters.map((splitter) => ({
      ...splitter,
      volumes: splitter.volumes.map((volume): EstateVolume => {
        const placement = placedBy(estate.protect, volume);
        if ('refusal' in placement) throw new Error(`Volume "${volume.id}" ${placement.refusal}.`);
        return { ...volume, group: placement.group };
      }),
    })),
  }));
export type Estate = z.output<typeof estateSchema>;
export type EstateInput = z.input<typeof estateSchema>;

/** The group that a volume is written with comes before what the rules say. */
function placedBy(rules: readonly ProtectRule[], { group, labels }: z.output<typeof writtenVolumeSchema>): Placement {
  return group === undefined ? placementOf(rules, labels) : { group };
}

/** The control URL that other processes use for a server of the estate. */
export function controlUrl(listen: {
  readonly host: string;
  readonly port: number;
  readonly url?: string | undefined;
  readonly tls?: boolean | undefined;
}): string {
  const { url, tls } = listen;
  return url ?? `${tls === true ? 'https' : 'http'}://${hostPort(listen)}`;
}

/** The address in one word: an IPv6 address has brackets. */
export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
