// A replica site as the activities of a batch see it: an inventory in pages, groups, stored
// reports, and the real store of plans. It remembers what it was asked.
import { type InventoryVolume, inventoryVolumeSchema } from '../../contracts/inventory.js';
import { reportsApi, type StoredMoveReport } from '../../contracts/report.js';
import type { ActivityRun } from '../../activities/run.js';
import type { Ports } from '../../control/ports.js';
import { BatchPlans } from '../../simulator/replica-site/reports/batch-plans.js';
import { memoryTexts } from '../simulation/memory-texts.js';

/** A volume of an inventory: by default 100 bytes in group gold on appliance a1. */
export function inventoryVolume(
  volume: string,
  more: Partial<Record<keyof InventoryVolume, unknown>> = {},
): InventoryVolume {
  const given = { volume, splitter: 's', sizeBytes: 100, group: 'gold', appliance: 'a1', ...more };
  return inventoryVolumeSchema.parse(given);
}

interface SiteState {
  readonly volumes?: readonly InventoryVolume[];
  readonly groups?: readonly string[];
  readonly reports?: readonly StoredMoveReport[];
  /** Volumes, groups or reports on one page. */
  readonly pageSize?: number;
}

interface BatchSite {
  readonly ports: Ports;
  readonly plans: BatchPlans;
  /** What the inventory was asked, call by call. */
  readonly asked: unknown[];
  /** Changes what is there from now on. */
  change(state: SiteState): void;
}

function pageOf<T>(rows: readonly T[], cursor: string | undefined, size: number): { rows: T[]; next?: string } {
  const from = Number(cursor ?? 0);
  return { rows: rows.slice(from, from + size), ...(from + size < rows.length ? { next: String(from + size) } : {}) };
}

export function batchSite(given: SiteState): BatchSite {
  let state = { volumes: [], groups: ['gold', 'silver'], reports: [], pageSize: 2, ...given };
  const plans = new BatchPlans(memoryTexts());
  const asked: unknown[] = [];
  const calls = {
    siteGroups: async ({ cursor }: { cursor?: string }) => {
      const { rows, ...more } = pageOf(state.groups, cursor, state.pageSize);
      const groups = rows.map((group) => ({ group, appliance: 'a1', volumesMax: 1_000, volumes: 0, reserved: 0 }));
      return { groups, ...more };
    },
    inventory: async (query: { group?: string; cursor?: string }) => {
      asked.push(query);
      const found = state.volumes.filter(({ group }) => query.group === undefined || group === query.group);
      const { rows, ...more } = pageOf(found, query.cursor, state.pageSize);
      return { volumes: rows, ...more };
    },
    reports: async ({ batch, cursor }: { batch?: string; cursor?: string }) => {
      const found = state.reports.filter((report) => report.batch === batch);
      const { rows, ...more } = pageOf(found, cursor, state.pageSize);
      return { reports: rows, ...more };
    },
    storeBatchPlan: async (page: unknown) => plans.storePage(reportsApi.storeBatchPlan.input.parse(page)),
    finishBatchPlan: async (plan: unknown) => plans.finish(reportsApi.finishBatchPlan.input.parse(plan)),
    batchPlan: async (page: unknown) => plans.page(reportsApi.batchPlan.input.parse(page)),
  };
  const appliances = new Map([['a1', { id: 'a1', url: '', calls }]]);
  const ports = { appliances, splitters: new Map() } as unknown as Ports;
  return { ports, plans, asked, change: (changed) => void (state = { ...state, ...changed }) };
}

/** A run of an activity whose heartbeats are kept. */
export function beatingRun<Details>(signal?: AbortSignal): ActivityRun<Details> & { readonly beats: Details[] } {
  const beats: Details[] = [];
  return {
    beats,
    nowMs: () => 7_000,
    monotonicMs: () => 0,
    sleep: async () => undefined,
    heartbeat: (details) => void beats.push(details),
    ...(signal === undefined ? {} : { signal }),
  };
}
