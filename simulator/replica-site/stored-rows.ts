// The site's rows as they come back from the store: checked, because an older version or another program may have written them.
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
import { holeSchema, ownershipSchema, recoveryPointSchema } from '../../contracts/point.js';
import { groupJournalSchema, retentionPolicySchema } from '../../contracts/retention.js';
import type { RowStore } from '../store/row-store.js';
import type { AttemptRow, CounterRow, GroupRow, HoleRow, MoveRow, OwnerRow, PointRow, VolumeRow } from './core/rows.js';
import type { SiteRows } from './core/state.js';

const groupRow: z.ZodType<GroupRow> = z.strictObject({
  group: groupIdSchema,
  appliance: applianceIdSchema,
  volumesMax: countSchema,
  pointEveryMs: durationMsSchema,
  lastPointAtMs: timeMsSchema,
  // Stores of before there were policies have neither; the estate file says the policy at each start.
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

/** @throws Error naming the row that is not of its table's form. */
export function storedRows(store: RowStore): SiteRows {
  return {
    groups: rowsOf(store, 'groups', groupRow),
    volumes: rowsOf(store, 'volumes', volumeRow),
    attempts: rowsOf(store, 'attempts', attemptRow),
    moves: rowsOf(store, 'moves', moveRow),
    points: rowsOf(store, 'points', pointRow),
    holes: rowsOf(store, 'holes', holeRow),
    owners: rowsOf(store, 'owners', ownerRow),
    counters: rowsOf(store, 'counters', counterRow),
  };
}

function* rowsOf<Row>(store: RowStore, table: string, schema: z.ZodType<Row>): Generator<readonly [string, Row]> {
  for (const [key, value] of store.rows(table)) {
    const row = schema.safeParse(value);
    if (!row.success)
      throw new Error(`Row "${key}" of table "${table}" is not of the form this version knows: ${row.error.message}`);
    yield [key, row.data];
  }
}
