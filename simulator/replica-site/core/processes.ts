// Rules for appliances and splitters that are retired and brought back at run time. A retired one
// is given nothing any more.
import type { ApplianceId, SplitterId } from '../../../contracts/ids.js';
import type { Changed } from '../../../contracts/lifecycle.js';
import { Against } from './against.js';
import type { ProcessRow } from './rows.js';
import { processKey, type SiteState } from './state.js';
import type { SiteMoment } from './terms.js';

/** Reasons that a refusal lists one by one. More are counted. */
const LISTED_MAX = 20;
const SAME: Changed = { changed: false };
const CHANGED: Changed = { changed: true };

interface ApplianceOrder {
  readonly appliance: ApplianceId;
  readonly dryRun: boolean;
}

interface SplitterOrder {
  readonly splitter: SplitterId;
  readonly dryRun: boolean;
}

/** Brings a retired appliance back. */
export function addAppliance(state: SiteState, { appliance, dryRun }: ApplianceOrder): Changed {
  return add(state, 'appliance', appliance, dryRun);
}

/** Brings a retired splitter back. */
export function addSplitter(state: SiteState, { splitter, dryRun }: SplitterOrder): Changed {
  return add(state, 'splitter', splitter, dryRun);
}

function add(state: SiteState, role: ProcessRow['role'], id: string, dryRun: boolean): Changed {
  if (!state.isRetired(role, id)) return SAME;
  if (!dryRun) state.bringBack(role, id);
  return CHANGED;
}

/**
 * Ends the use of an appliance to which no group is set.
 * @throws MoverError CORRUPT; CHANGE_REFUSED with every reason
 */
export function retireAppliance(
  state: SiteState,
  { appliance, dryRun }: ApplianceOrder,
  { wallMs }: SiteMoment,
): Changed {
  if (state.isRetired('appliance', appliance)) return SAME;
  const against = new Against(`Appliance "${appliance}" cannot be retired`);
  const groups = [...state.groups.values()].filter((row) => row.appliance === appliance && row.retired === undefined);
  for (const { group } of groups.slice(0, LISTED_MAX))
    against.add('PROCESS_IN_USE', group, `it serves group "${group}" with ${state.memberCount(group)} volumes`);
  addMore(against, appliance, groups.length, 'groups');
  for (const [group, sentence] of state.groups.unreadable) against.add('CORRUPT', group, sentence);
  return retire(state, against, { role: 'appliance', id: appliance, retired: { atMs: wallMs } }, dryRun);
}

/**
 * Ends the use of a splitter that has no volumes but retired ones.
 * @throws MoverError CORRUPT; CHANGE_REFUSED with every reason
 */
export function retireSplitter(state: SiteState, { splitter, dryRun }: SplitterOrder, { wallMs }: SiteMoment): Changed {
  if (state.isRetired('splitter', splitter)) return SAME;
  const against = new Against(`Splitter "${splitter}" cannot be retired`);
  const volumes = [...state.volumes.values()].filter((row) => row.splitter === splitter && row.retired === undefined);
  for (const { volume, group } of volumes.slice(0, LISTED_MAX))
    against.add('PROCESS_IN_USE', volume, `it protects volume "${volume}" in group "${group}"`);
  addMore(against, splitter, volumes.length, 'volumes');
  for (const [volume, sentence] of state.volumes.unreadable) against.add('CORRUPT', volume, sentence);
  return retire(state, against, { role: 'splitter', id: splitter, retired: { atMs: wallMs } }, dryRun);
}

function addMore(against: Against, id: string, count: number, what: string): void {
  if (count > LISTED_MAX) against.add('PROCESS_IN_USE', id, `and ${count - LISTED_MAX} more ${what}`);
}

function retire(state: SiteState, against: Against, row: ProcessRow, dryRun: boolean): Changed {
  against.refuse();
  if (!dryRun) state.processes.put(processKey(row.role, row.id), row);
  return CHANGED;
}

/** The ids of the retired ones. */
export function retiredProcesses(state: SiteState): { appliances: ApplianceId[]; splitters: SplitterId[] } {
  const rows = [...state.processes.values()];
  return {
    appliances: rows.flatMap((row) => (row.role === 'appliance' ? [row.id] : [])),
    splitters: rows.flatMap((row) => (row.role === 'splitter' ? [row.id] : [])),
  };
}
