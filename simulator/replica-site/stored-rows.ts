// The site's rows as they come back from the store: checked, because an older version or another
// program may have written them.
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
  sessionSchema,
  timeMsSchema,
} from '../../contracts/numbers.js';
import type { Estate } from '../../contracts/estate.js';
import { holeSchema, inTimelineOrder, ownershipSchema, recoveryPointSchema } from '../../contracts/point.js';
import { groupJournalSchema, retentionPolicySchema } from '../../contracts/retention.js';
import type { RowStore } from '../store/row-store.js';
import type { AttemptRow, CounterRow, GroupRow, HoleRow, MoveRow, OwnerRow, PointRow, VolumeRow } from './core/rows.js';
import { type SiteRows, TABLE_NAMES, type TableName } from './core/state.js';

const groupRow: z.ZodType<GroupRow> = z.strictObject({
  group: groupIdSchema,
  appliance: applianceIdSchema,
  volumesMax: countSchema,
  pointEveryMs: durationMsSchema,
  lastPointAtMs: timeMsSchema,
  lastOrder: z.exactOptional(countSchema),
  snapshots: z.exactOptional(z.array(countSchema)),
  // Stores of before there were policies have neither; the estate file says the policy at each
  // start.
  retention: retentionPolicySchema.prefault({}),
  journal: groupJournalSchema.prefault({ bytes: 0, pointsDropped: 0 }),
});

const volumeRow: z.ZodType<VolumeRow> = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  sizeBytes: bytesSchema,
  group: groupIdSchema,
  epoch: epochSchema,
  session: sessionSchema,
  openAttempt: z.exactOptional(attemptRefSchema),
  sealed: z.boolean(),
  openHole: z.exactOptional(z.string()),
  vm: z.exactOptional(vmSchema),
  labels: z.exactOptional(labelsSchema),
  source: z.exactOptional(sourceIdSchema),
  life: z.exactOptional(lifeIdSchema),
  lineage: z.exactOptional(lineageIdSchema),
});

const attemptRow: z.ZodType<AttemptRow> = z.strictObject({ record: attemptRecordSchema });
const moveRow: z.ZodType<MoveRow> = z.strictObject({ highestN: countSchema });
const holeRow: z.ZodType<HoleRow> = z.strictObject({ hole: holeSchema });
const ownerRow: z.ZodType<OwnerRow> = z.strictObject({ owner: ownershipSchema });
const counterRow: z.ZodType<CounterRow> = z.strictObject({ next: countSchema });

const pointRow: z.ZodType<PointRow> = z.strictObject({
  point: recoveryPointSchema,
  pinnedBy: z.exactOptional(attemptRefSchema),
  provisionalMarks: z.record(z.string(), writeMarkSchema.extend({ volume: volumeIdSchema })),
});

/**
 * The rows of all tables. One that is not of its table's form leaves out what it describes, and
 * stands in `unreadable`: the rules neither take it for missing nor write over it. Two kinds reach
 * further. A bad group is made anew where the estate file has it, which says all of it but the
 * place of its newest point; where it has not, the group's volumes are left out as well.
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
    unreadable,
  };
}

/** What is left out with a bad row of each table. */
const LEFT_OUT: Readonly<Record<TableName, string>> = {
  groups: 'the group is made anew from the estate file if it is there; otherwise it is left out, with its volumes',
  volumes: 'nothing of the volume is taken in or served, and its records are refused',
  attempts: 'its verdict is not known, so its volumes are not moved; they go on replicating',
  moves: 'nothing of that move is accepted any more',
  points: 'the point is not served, and until it can be read no history is let go of, so that what it needs stays',
  holes: 'from its beginning on the volume is in no recovery point',
  owners: 'the timeline of the volume lacks a span',
  counters:
    'nothing that needs a new number is accepted: no attempt (tickets), or no point (points); of the clock of ages, what the newest point knows of it counts',
};

function sentenceOf(table: TableName, key: string, error: z.ZodError): string {
  const [issue] = error.issues;
  const why = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`;
  return `Row "${key}" of table "${table}" is not of the form this version knows${why}: ${LEFT_OUT[table]}. Put the replica site's folder back from a copy, or run the version that wrote it.`;
}

/** Those that the estate file has: it says their settings at each start. They are readable then. */
function groupsAnew(
  unreadable: Map<string, string> | undefined,
  groups: Estate['groups'],
  points: readonly (readonly [string, PointRow])[],
): (readonly [string, GroupRow])[] {
  return groups.flatMap(({ id, appliance, volumesMax, pointEveryMs, retention }) => {
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
    return [[id, { group: id, appliance, volumesMax, pointEveryMs, ...place, retention, journal }] as const];
  });
}
