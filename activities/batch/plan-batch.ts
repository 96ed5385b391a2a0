// Makes the plan of a batch once from the inventory, and stores it at the replica site page by
// page. It never changes after that.
import type { BatchId, ParsedBatchInput } from '../../contracts/batch.js';
import { BATCH_PLANNED_MAX, type PlannedBatch } from '../../contracts/batch-run.js';
import { MoverError } from '../../contracts/errors.js';
import { type GroupId, groupIdSchema, type VolumeId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import { BATCH_PLAN_PAGE_MAX, type StoredMoveReport } from '../../contracts/report.js';
import { findGroups } from '../../control/site-lookup.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import type { ActivityRun } from '../run.js';
import { draftPlan, type DraftPlan, type RequestedMove, requestedMoveOf, requestedMovesOf } from './draft-plan.js';
import { groupsOf, selectVolumes } from './selection.js';

export interface PlanWork {
  readonly batch: BatchId;
  readonly input: Pick<ParsedBatchInput, 'moves' | 'select' | 'failedOf' | 'to' | 'map' | 'options'>;
}

type StoredPlan = Omit<PlannedBatch, 'runEventsMax'>;

/** The heartbeat of the planning. */
export interface PlanHeartbeat {
  readonly doing: 'listing' | 'storing';
  readonly count: number;
}

/**
 * Expands a batch into its moves and stores them. A repeated call returns the plan that was
 * completed first.
 * @param draft names this run of the planning, different from every other
 * @throws MoverError INVALID_REQUEST (too many moves, impossible labels), BATCH_NOT_FOUND,
 * GROUP_NOT_FOUND, UNREACHABLE
 */
export async function planBatch(
  ports: Ports,
  { batch, input }: PlanWork,
  draft: string,
  run: ActivityRun<PlanHeartbeat>,
): Promise<StoredPlan> {
  const earlier = await storedPlan(ports, batch);
  if (earlier !== undefined) return earlier;
  const plan = await makePlan(ports, input, run);
  const planned = plan.items.length;
  if (planned > BATCH_PLANNED_MAX)
    throw new MoverError(
      'INVALID_REQUEST',
      `The batch has ${planned} moves; at most ${BATCH_PLANNED_MAX} are allowed.`,
    );
  for (let from = 0; from < planned; from += BATCH_PLAN_PAGE_MAX) {
    run.signal?.throwIfAborted();
    const items = plan.items.slice(from, from + BATCH_PLAN_PAGE_MAX);
    await anyAppliance(ports, ({ calls }) => calls.storeBatchPlan({ batch, draft, from, items }));
    run.heartbeat({ doing: 'storing', count: from + items.length });
  }
  const { alreadyThere, refused } = plan;
  const leftOut = [...plan.leftOut];
  await anyAppliance(ports, ({ calls }) =>
    calls.finishBatchPlan({ batch, draft, planned, alreadyThere, refused, leftOut, plannedAtMs: run.nowMs() }),
  );
  // If another run of this activity was faster, its plan stands.
  return (await storedPlan(ports, batch)) ?? { planned, alreadyThere, refused, leftOut };
}

async function storedPlan(ports: Ports, batch: BatchId): Promise<StoredPlan | undefined> {
  const {
    planned,
    alreadyThere = 0,
    refused = 0,
    leftOut,
  } = await anyAppliance(ports, ({ calls }) => calls.batchPlan({ batch, limit: 1 }));
  return planned === undefined ? undefined : { planned, alreadyThere, refused, leftOut };
}

async function makePlan(ports: Ports, input: PlanWork['input'], run: ActivityRun<PlanHeartbeat>): Promise<DraftPlan> {
  const listing = (count: number): void => run.heartbeat({ doing: 'listing', count });
  const groups = new Map((await findGroups(ports)).map((group) => [group.group, group]));
  const { moves, select, failedOf } = input;
  if (select !== undefined) {
    refuseUnknownGroups(input, new Set(groups.keys()));
    const selected = await selectVolumes(ports, select, listing);
    const { moves: requested, withoutTarget } = requestedMovesOf(selected, (volume) => targetOf(input, volume));
    return draftPlan(requested, withoutTarget, { volumes: byId(selected), groups }, input.options.order);
  }
  const requested = moves === undefined ? await failedMoves(ports, failedOf, listing) : moves.map(requestedMoveOf);
  const volumes = await findVolumes(ports, requested, listing);
  return draftPlan(requested, [], { volumes, groups }, input.options.order);
}

export function targetOf(
  { to, map }: Pick<ParsedBatchInput, 'to' | 'map'>,
  { group }: InventoryVolume,
): GroupId | undefined {
  if (to !== undefined) return to;
  // A volume in one of the map's target groups is where it should be.
  return map?.[group] ?? (Object.values(map ?? {}).includes(group) ? group : undefined);
}

/**
 * Refuses groups that do not exist: an unknown source would select nothing, and an unknown target
 * would refuse every volume one by one.
 * @throws MoverError GROUP_NOT_FOUND
 */
function refuseUnknownGroups({ select, to, map }: PlanWork['input'], groups: ReadonlySet<GroupId>): void {
  const named = [
    ...(groupsOf(select ?? {}) ?? []).map((group) => ({ group, field: 'select.from' })),
    ...(to === undefined ? [] : [{ group: to, field: 'to' }]),
    ...fieldsOf(map),
  ];
  const unknown = named.filter(({ group }) => !groups.has(group));
  if (unknown.length === 0) return;
  const listed = unknown.map(({ group, field }) => `${field}: there is no consistency group "${group}"`).join('; ');
  throw new MoverError('GROUP_NOT_FOUND', `The batch cannot be planned: ${listed}.`, {
    reasons: unknown.map(({ group, field }) => ({
      code: 'GROUP_NOT_FOUND',
      subject: field,
      message: `there is no consistency group "${group}"`,
    })),
  });
}

function fieldsOf(map: PlanWork['input']['map']): { readonly group: GroupId; readonly field: string }[] {
  return Object.entries(map ?? {}).flatMap(([from, to]) =>
    [groupIdSchema.parse(from), to].map((group) => ({ group, field: `map.${from}` })),
  );
}

/** The volumes of the listed moves, from one listing of the whole estate. */
async function findVolumes(
  ports: Ports,
  requested: readonly RequestedMove[],
  listing: (count: number) => void,
): Promise<Map<VolumeId, InventoryVolume>> {
  const wanted = new Set(requested.flatMap(({ volumes }) => volumes));
  return byId((await selectVolumes(ports, {}, listing)).filter(({ volume }) => wanted.has(volume)));
}

function byId(volumes: readonly InventoryVolume[]): Map<VolumeId, InventoryVolume> {
  return new Map(volumes.map((volume) => [volume.volume, volume]));
}

/**
 * The moves of an earlier batch whose last try failed.
 * @throws MoverError BATCH_NOT_FOUND when the batch is unknown
 */
async function failedMoves(
  ports: Ports,
  failedOf: BatchId | undefined,
  listing: (count: number) => void,
): Promise<RequestedMove[]> {
  if (failedOf === undefined) throw new MoverError('INTERNAL', 'A batch names its moves in one of three ways.');
  if ((await storedPlan(ports, failedOf)) === undefined)
    throw new MoverError('BATCH_NOT_FOUND', `The replica site has no plan of batch "${failedOf}".`);
  const last = new Map<number, Pick<StoredMoveReport, 'outcome' | 'volumes' | 'to'>>();
  let cursor: string | undefined;
  do {
    const from = cursor;
    const page = await anyAppliance(ports, ({ calls }) =>
      calls.reports({ batch: failedOf, ...(from === undefined ? {} : { cursor: from }) }),
    );
    // Reports are in the batch's order; the tries of one move are neighbours.
    for (const { seq, outcome, volumes, to } of page.reports)
      if (seq !== undefined) last.set(seq, { outcome, volumes, to });
    listing(last.size);
    cursor = page.next;
  } while (cursor !== undefined);
  return [...last.values()].filter(({ outcome }) => outcome === 'failed').map(({ volumes, to }) => ({ volumes, to }));
}
