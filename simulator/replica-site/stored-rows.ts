// Reads the site's rows from the store and checks them, because another version or program may have
// written them.
import { z } from 'zod';
import { attemptRecordSchema, attemptRefSchema, writeMarkSchema } from '../../contracts/attempt.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { labelsSchema, vmSchema } from '../../contracts/inventory.js';
import { lifeIdSchema, lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import {
  bytesSchema,
  countSchema,
  durationMsSchema,
  epochSchema,
  positionSchema,
  sessionSchema,
  timeMsSchema,
} from '../../contracts/numbers.js';
import type { Estate } from '../../contracts/estate.js';
import { holeSchema, inTimelineOrder, ownershipSchema, recoveryPointSchema } from '../../contracts/point.js';
import { retiredSchema } from '../../contracts/replica-site-api.js';
import { groupJournalSchema, retentionPolicySchema } from '../../contracts/retention.js';
import type { RowStore } from '../store/row-store.js';
import {
  type AttemptRow,
  type CounterRow,
  type GroupRow,
  type HoleRow,
  type MoveRow,
  type OwnerRow,
  type PointRow,
  type ProcessRow,
  type Sender,
  type VolumeRow,
  groupSettings,
} from './core/rows.js';
import { type SiteRows, TABLE_NAMES, type TableName } from './core/state.js';

const settings = {
  appliance: applianceIdSchema,
  volumesMax: countSchema,
  pointEveryMs: durationMsSchema,
  rpoMsMax: z.exactOptional(durationMsSchema),
};

const groupRow: z.ZodType<GroupRow> = z.strictObject({
  group: groupIdSchema,
  ...settings,
  lastPointAtMs: timeMsSchema,
  lastOrder: z.exactOptional(countSchema),
  snapshots: z.exactOptional(z.array(countSchema)),
  // Older stores, from before policies, have neither. The estate file sets the policy at each
  // start.
  retention: retentionPolicySchema.prefault({}),
  journal: groupJournalSchema.prefault({ bytes: 0, pointsDropped: 0 }),
  declared: z.exactOptional(z.strictObject({ ...settings, retention: retentionPolicySchema })),
  retired: z.exactOptional(retiredSchema),
});

const senderSchema: z.ZodType<Sender> = z.strictObject({ base: positionSchema, life: lifeIdSchema });

const volumeRow: z.ZodType<VolumeRow> = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  sizeBytes: bytesSchema,
  group: groupIdSchema,
  epoch: epochSchema,
  session: sessionSchema,
  openAttempt: z.exactOptional(attemptRefSchema),
  sealed: z.boolean(),
  addedTo: z.exactOptional(groupIdSchema),
  over: z.exactOptional(countSchema),
  openHole: z.exactOptional(z.string()),
  vm: z.exactOptional(vmSchema),
  labels: z.exactOptional(labelsSchema),
  source: z.exactOptional(sourceIdSchema),
  life: z.exactOptional(lifeIdSchema),
  senders: z.exactOptional(z.array(senderSchema)),
  lineage: z.exactOptional(lineageIdSchema),
  retired: z.exactOptional(retiredSchema),
  forgetting: z.exactOptional(z.literal(true)),
  acceptedBytes: z.exactOptional(bytesSchema),
  sizes: z.exactOptional(z.array(z.strictObject({ upTo: positionSchema, sizeBytes: bytesSchema }))),
});

const attemptRow: z.ZodType<AttemptRow> = z.strictObject({
  record: attemptRecordSchema,
  ticket: z.exactOptional(countSchema),
  idleSinceMs: z.exactOptional(countSchema),
});
const moveRow: z.ZodType<MoveRow> = z.strictObject({ highestN: countSchema });
const holeRow: z.ZodType<HoleRow> = z.strictObject({ hole: holeSchema });
const ownerRow: z.ZodType<OwnerRow> = z.strictObject({ owner: ownershipSchema });
const counterRow: z.ZodType<CounterRow> = z.strictObject({ next: countSchema });
const processRow: z.ZodType<ProcessRow> = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('appliance'), id: applianceIdSchema, retired: retiredSchema }),
  z.strictObject({ role: z.literal('splitter'), id: splitterIdSchema, retired: retiredSchema }),
]);

const pointRow: z.ZodType<PointRow> = z.strictObject({
  point: recoveryPointSchema,
  pinnedBy: z.exactOptional(attemptRefSchema),
  provisionalMarks: z.record(z.string(), writeMarkSchema.extend({ volume: volumeIdSchema })),
});

/**
 * Reads the rows of all tables. A row that is not of its table's form is in `unreadable`, and what
 * it describes is left out: rules neither take it for missing nor overwrite it. Two kinds reach
 * further. A bad group is made again from the estate file, which has all of it but the place of its
 * newest point; if the file doesn't have the group, its volumes are left out too.
 */
export function storedRows(store: RowStore, groups: Estate['groups']): SiteRows {
  const unreadable = new Map<TableName, Map<string, string>>(TABLE_NAMES.map((name) => [name, new Map()]));
  const rowsOf = <Row>(table: TableName, schema: z.ZodType<Row>): (readonly [string, Row])[] => {
    const rows: (readonly [string, Row])[] = [];
    for (const [key, value] of store.rows(table)) {
      const row = schema.safeParse(value);
      if (row.success) rows.push([key, row.data]);
      else unreadable.get(table)?.set(key, sentenceOf(table, key, row.error));
    }
    return rows;
  };
  const points = rowsOf('points', pointRow);
  const groupRows = [...rowsOf('groups', groupRow), ...groupsAnew(unreadable.get('groups'), groups, points)];
  const readable = new Set(groupRows.map(([key]) => key));
  const volumes = rowsOf('volumes', volumeRow).filter(([key, { group }]) => {
    if (readable.has(group) || unreadable.get('groups')?.has(group) !== true) return true;
    unreadable
      .get('volumes')
      ?.set(key, `Volume "${key}" is left out with its group "${group}", whose row can't be read.`);
    return false;
  });
  return {
    groups: groupRows,
    volumes,
    attempts: rowsOf('attempts', attemptRow),
    moves: rowsOf('moves', moveRow),
    points,
    holes: rowsOf('holes', holeRow),
    owners: rowsOf('owners', ownerRow),
    counters: rowsOf('counters', counterRow),
    processes: rowsOf('processes', processRow),
    unreadable,
  };
}

/** What is left out with an unreadable row, by table. */
const LEFT_OUT: Readonly<Record<TableName, string>> = {
  groups:
    'the group is made again from the estate file if the file has it; otherwise the group and its volumes are left out',
  volumes: 'the volume is not served, and its records are refused',
  attempts: 'its verdict is not known, so its volumes are not moved; they go on replicating',
  moves: 'nothing of that move is accepted any more',
  points: 'the point is not served, and no history is dropped until it can be read, so that what it needs stays',
  holes: 'the volume is in no recovery point from the beginning of the hole on',
  owners: 'the timeline of the volume lacks a span',
  counters:
    'calls that need a new number are refused: attempts (tickets) or points (points); the clock of ages goes on from the newest point',
  processes: 'the appliance or splitter counts as not retired',
};

function sentenceOf(table: TableName, key: string, error: z.ZodError): string {
  const [issue] = error.issues;
  const why = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`;
  return `Row "${key}" of table "${table}" is not of the form this version knows${why}: ${LEFT_OUT[table]}. Put the replica site's folder back from a copy, or run the version that wrote it.`;
}

/** Unreadable groups made again from the estate file. They count as readable then. */
function groupsAnew(
  unreadable: Map<string, string> | undefined,
  groups: Estate['groups'],
  points: readonly (readonly [string, PointRow])[],
): (readonly [string, GroupRow])[] {
  return groups.flatMap(({ id, ...declared }) => {
    if (unreadable?.delete(id) !== true) return [];
    const last = points
      .flatMap(([, { point }]) => (point.group === id ? [point] : []))
      .toSorted(inTimelineOrder)
      .at(-1);
    const place = {
      lastPointAtMs: last?.atMs ?? 0,
      ...(last?.order === undefined ? {} : { lastOrder: last.order }),
    };
    const journal = { bytes: 0, pointsDropped: 0 };
    return [[id, { group: id, ...groupSettings(declared), ...place, journal }] as const];
  });
}
