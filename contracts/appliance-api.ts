// The control API of a data protection appliance. The orchestrator, the splitters and operators
// reach replication through it.
import { z } from 'zod';
import { attemptRecordSchema, attemptRefSchema } from './attempt.js';
import { auditOperation } from './audit.js';
import { applianceIdSchema, groupIdSchema, volumeIdSchema } from './ids.js';
import { clockSkewSchema, clockViewSchema } from './clock.js';
import { healthOperation } from './health.js';
import { siteLifecycleApi } from './lifecycle.js';
import { accessIdSchema, accessSchema, ACCESS_TEXT_LENGTH_MAX, openAccessInputSchema } from './images.js';
import { bytesSchema, countSchema, timeMsSchema } from './numbers.js';
import { BOOKMARK_NAME_LENGTH_MAX, recoveryPointSchema } from './point.js';
import { siteProcessesApi } from './processes.js';
import { attemptsApi, pointsApi, replicaSiteApi, siteGroupSchema } from './replica-site-api.js';
import { repairReplicaApi } from './repair.js';
import { reportsApi } from './report.js';
import { keepRequestSchema } from './retention.js';
import { operation } from './route.js';
import { verifyReplicaApi } from './verify.js';

export const groupStateSchema = z.enum(['ACTIVE', 'PAUSED', 'INITIALIZING', 'DISCONNECTED']);
export type GroupState = z.infer<typeof groupStateSchema>;

/** A group as its appliance sees it. */
export const applianceGroupSchema = siteGroupSchema.extend({
  state: groupStateSchema,
  /** Connected splitters that have members of the group. */
  splitters: z.array(z.string()),
  lastPoint: z.strictObject({ id: z.string(), atMs: timeMsSchema }).optional(),
  /** Points skipped since the process started: a splitter did not answer or no longer held. */
  pointsSkipped: countSchema,
});
export type ApplianceGroup = z.infer<typeof applianceGroupSchema>;

export const linkSchema = z.strictObject({
  /** Absent: not throttled. */
  bytesPerSecond: z.number().int().min(1).optional(),
  cut: z.boolean(),
});
export type Link = z.infer<typeof linkSchema>;

/** Faults of the rounds that close recovery points over several splitters. */
export const roundFaultsSchema = z.strictObject({
  /** Takes the cuts one after another, without hold or confirmation. Such points may be torn. */
  unconfirmed: z.boolean(),
});
export type RoundFaults = z.infer<typeof roundFaultsSchema>;

export const applianceApi = {
  health: healthOperation,
  audit: auditOperation,
  ...attemptsApi,
  ...pointsApi,
  ...verifyReplicaApi,
  ...reportsApi,
  ...repairReplicaApi,
  ...siteLifecycleApi,
  ...siteProcessesApi,
  describe: operation({
    method: 'GET',
    path: '/v1/appliance',
    roles: ['read'],
    summary:
      'The appliance itself: id, link, paused groups, its NBD address for images, and its findings about clocks.',
    input: z.strictObject({}),
    output: z.strictObject({
      appliance: applianceIdSchema,
      link: linkSchema,
      pausedGroups: z.array(groupIdSchema),
      /** The groups whose recovery points this appliance closes now. */
      servedGroups: z.array(groupIdSchema).optional(),
      nbd: z.strictObject({ host: z.string(), port: z.number().int() }),
      /** The appliance's own wall clock, now. */
      clock: clockViewSchema.optional(),
      /** How far from it the clocks of replica site and splitters were at the last calls. */
      skews: z.array(clockSkewSchema).optional(),
    }),
  }),
  groups: operation({
    method: 'GET',
    path: '/v1/groups',
    roles: ['read'],
    summary: 'The groups this appliance serves, with their states.',
    input: z.strictObject({}),
    output: z.strictObject({ groups: z.array(applianceGroupSchema) }),
  }),
  siteGroups: operation({
    ...replicaSiteApi.groups,
    path: '/v1/site/groups',
    summary: 'The groups of the replica site, of every appliance: all, or one (GROUP_NOT_FOUND if there is none).',
  }),
  siteVolumes: operation({
    ...replicaSiteApi.volumes,
    path: '/v1/site/volumes',
    summary: 'All volumes of the replica site: owner, epoch, positions.',
  }),
  siteAudit: operation({
    ...auditOperation,
    path: '/v1/site/audit',
    summary: 'The audit of the replica site.',
  }),
  inventory: operation({
    ...replicaSiteApi.inventory,
    path: '/v1/site/inventory',
    summary: 'All volumes of the replica site: names, sizes, groups, VMs and labels only.',
  }),
  join: operation({
    method: 'POST',
    path: '/v1/attempts/join',
    roles: ['move'],
    summary:
      'Close a point of the new group and, if it contains every moved volume, put the "joined" bookmark on it. Call again until `joined` is set.',
    input: z.strictObject({ attempt: attemptRefSchema }),
    output: attemptRecordSchema,
  }),
  closePoint: operation({
    method: 'POST',
    path: '/v1/points/close',
    roles: ['operate'],
    summary: 'Close a recovery point of a group now, as a named bookmark if a name is given.',
    input: z.strictObject({
      group: groupIdSchema,
      bookmark: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX).optional(),
      keep: keepRequestSchema.optional(),
    }),
    output: recoveryPointSchema,
  }),
  pauseGroup: operation({
    method: 'POST',
    path: '/v1/groups/pause',
    roles: ['operate'],
    summary: 'Stop replicating a group: its splitters keep marks only.',
    input: z.strictObject({ group: groupIdSchema }),
    output: applianceGroupSchema,
  }),
  resumeGroup: operation({
    method: 'POST',
    path: '/v1/groups/resume',
    roles: ['operate'],
    summary: 'Replicate the group again: short initialization of what is marked.',
    input: z.strictObject({ group: groupIdSchema }),
    output: applianceGroupSchema,
  }),
  lag: operation({
    method: 'GET',
    path: '/v1/lag',
    roles: ['read'],
    summary:
      'Bytes of a volume that are not in its replica yet: in transit through this appliance, and durable at the replica site but not applied.',
    input: z.strictObject({ volume: volumeIdSchema }),
    output: z.strictObject({ volume: volumeIdSchema, bufferedBytes: bytesSchema, undistributedBytes: bytesSchema }),
  }),
  openAccess: operation({
    method: 'POST',
    path: '/v1/accesses/open',
    roles: ['operate'],
    summary:
      'Open a volume, or every volume of a group, at one recovery point as NBD exports: all or none, read-only or with a scratch for writes.',
    input: openAccessInputSchema,
    output: accessSchema,
  }),
  listAccesses: operation({
    method: 'GET',
    path: '/v1/accesses',
    roles: ['read'],
    summary: 'The image accesses of this appliance, newest first: the open ones and the last that ended, with why.',
    input: z.strictObject({}),
    output: z.strictObject({ accesses: z.array(accessSchema) }),
  }),
  closeAccess: operation({
    method: 'POST',
    path: '/v1/accesses/close',
    roles: ['operate'],
    summary: 'Close an image access: its connections end and its scratch is discarded. Closing it again is no error.',
    input: z.strictObject({
      access: accessIdSchema,
      /** Who closes it. */
      client: z.string().min(1).max(ACCESS_TEXT_LENGTH_MAX).optional(),
    }),
    output: accessSchema,
  }),
  setLink: operation({
    method: 'POST',
    path: '/v1/faults/link',
    roles: ['admin'],
    summary: 'Slow the link to the replica site, cut it, or restore it (no limit, not cut).',
    input: linkSchema,
    output: linkSchema,
  }),
  setRounds: operation({
    method: 'POST',
    path: '/v1/faults/rounds',
    roles: ['admin'],
    summary:
      'Turn off hold and confirmation for points over several splitters (`unconfirmed`), or turn them on again. Such points may be torn.',
    input: roundFaultsSchema,
    output: roundFaultsSchema,
  }),
} as const;
