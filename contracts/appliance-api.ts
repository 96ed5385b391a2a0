// The control API of a data protection appliance: how the orchestrator, the splitters and people reach replication.
import { z } from 'zod';
import { attemptRecordSchema, attemptRefSchema } from './attempt.js';
import { applianceIdSchema, groupIdSchema, volumeIdSchema } from './ids.js';
import { healthOperation } from './health.js';
import { bytesSchema, countSchema, timeMsSchema } from './numbers.js';
import { BOOKMARK_NAME_LENGTH_MAX, recoveryPointSchema } from './point.js';
import { attemptsApi, pointsApi, replicaSiteApi, siteGroupSchema } from './replica-site-api.js';
import { operation } from './route.js';

export const groupStateSchema = z.enum(['ACTIVE', 'PAUSED', 'INITIALIZING', 'DISCONNECTED']);
export type GroupState = z.infer<typeof groupStateSchema>;

/** A group as its appliance knows it. */
export const applianceGroupSchema = siteGroupSchema.extend({
  state: groupStateSchema,
  /** Splitters that have members of the group and are connected now. */
  splitters: z.array(z.string()),
  lastPoint: z.strictObject({ id: z.string(), atMs: timeMsSchema }).optional(),
  /** Points skipped because a splitter did not answer or no longer held, since the start of the process. */
  pointsSkipped: countSchema,
});
export type ApplianceGroup = z.infer<typeof applianceGroupSchema>;

export const linkSchema = z.strictObject({
  /** Absent: not throttled. */
  bytesPerSecond: z.number().int().min(1).optional(),
  cut: z.boolean(),
});
export type Link = z.infer<typeof linkSchema>;

export const applianceApi = {
  health: healthOperation,
  ...attemptsApi,
  ...pointsApi,
  site: operation({
    method: 'GET',
    path: '/v1/appliance',
    summary: 'The appliance itself: id, link, groups whose replication is paused, and where it serves images over NBD.',
    input: z.strictObject({}),
    output: z.strictObject({
      appliance: applianceIdSchema,
      link: linkSchema,
      pausedGroups: z.array(groupIdSchema),
      nbd: z.strictObject({ host: z.string(), port: z.number().int() }),
    }),
  }),
  groups: operation({
    method: 'GET',
    path: '/v1/groups',
    summary: 'The groups this appliance serves, with their states.',
    input: z.strictObject({}),
    output: z.strictObject({ groups: z.array(applianceGroupSchema) }),
  }),
  siteGroups: operation({
    ...replicaSiteApi.groups,
    path: '/v1/site/groups',
    summary: 'All groups of the replica site, of every appliance.',
  }),
  siteVolumes: operation({
    ...replicaSiteApi.volumes,
    path: '/v1/site/volumes',
    summary: 'All volumes of the replica site: owner, epoch, positions.',
  }),
  join: operation({
    method: 'POST',
    path: '/v1/attempts/join',
    summary:
      'Close a point of the new group and, if it contains every moved volume, put the "joined" bookmark on it. Call again until `joined` is set.',
    input: z.strictObject({ attempt: attemptRefSchema }),
    output: attemptRecordSchema,
  }),
  closePoint: operation({
    method: 'POST',
    path: '/v1/points/close',
    summary: 'Close a recovery point of a group now, as a named bookmark if a name is given.',
    input: z.strictObject({
      group: groupIdSchema,
      bookmark: z.string().min(1).max(BOOKMARK_NAME_LENGTH_MAX).optional(),
    }),
    output: recoveryPointSchema,
  }),
  pauseGroup: operation({
    method: 'POST',
    path: '/v1/groups/pause',
    summary: 'Stop replicating a group: its splitters keep marks only.',
    input: z.strictObject({ group: groupIdSchema }),
    output: applianceGroupSchema,
  }),
  resumeGroup: operation({
    method: 'POST',
    path: '/v1/groups/resume',
    summary: 'Replicate the group again: short initialization of what is marked.',
    input: z.strictObject({ group: groupIdSchema }),
    output: applianceGroupSchema,
  }),
  lag: operation({
    method: 'GET',
    path: '/v1/lag',
    summary: 'What is on its way through this appliance for a volume.',
    input: z.strictObject({ volume: volumeIdSchema }),
    output: z.strictObject({ volume: volumeIdSchema, bufferedBytes: bytesSchema, undistributedBytes: bytesSchema }),
  }),
  setLink: operation({
    method: 'POST',
    path: '/v1/faults/link',
    summary: 'Slow the link to the replica site, cut it, or restore it (no limit, not cut).',
    input: linkSchema,
    output: linkSchema,
  }),
} as const;
