// What the replica site keeps in its data folder, opened.
import { join } from 'node:path';
import { RoomReserve } from '../disk/room-reserve.js';
import { openRowStore, type RowStore } from '../store/row-store.js';
import { TABLE_NAMES } from './core/state.js';
import { openReports, type Reports } from './reports/reports.js';

export interface SiteStorage {
  readonly dataFolder: string;
  readonly rowsFolder: string;
  /** One folder a volume in it: its journal. */
  readonly volumesFolder: string;
  readonly store: RowStore;
  readonly reports: Reports;
  readonly reserve: RoomReserve;
  /** Whether stored data survives power loss, not only a killed process. */
  readonly sync: boolean;
}

/** @throws MoverError if the rows can't be opened. */
export function openSiteStorage(dataFolder: string, sync: boolean): SiteStorage {
  const rowsFolder = join(dataFolder, 'rows');
  return {
    dataFolder,
    rowsFolder,
    volumesFolder: join(dataFolder, 'volumes'),
    store: openRowStore({ directory: rowsFolder, tables: TABLE_NAMES, sync }),
    reports: openReports({ directory: join(dataFolder, 'reports'), sync }),
    reserve: new RoomReserve(join(dataFolder, 'reserve'), dataFolder),
    sync,
  };
}

export async function closeSiteStorage({ store, reports }: SiteStorage): Promise<void> {
  await Promise.all([store.close(), reports.close()]);
}
