// The replica site's rules for scripts: SiteState over lineages in memory. Each command is one
// transaction, as in the shell.
import { type EstateInput, estateSchema } from '../../../../contracts/estate.js';
import { MoverError } from '../../../../contracts/errors.js';
import type { VolumeId } from '../../../../contracts/ids.js';
import { followEstate } from '../../../../simulator/replica-site/core/from-estate.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES, type TableName } from '../../../../simulator/replica-site/core/state.js';
import type { AttemptRow } from '../../../../simulator/replica-site/core/rows.js';
import type { SiteMoment } from '../../../../simulator/replica-site/core/terms.js';
import { MemoryLineages } from '../../site-core-fixture.js';

/** The clocks differ, so that a rule that takes one for another shows. */
const WALL_AHEAD_MS = 1_000_000;
const AGE_AHEAD_MS = 5_000_000;

export const GROUPS = ['gold', 'silver', 'bronze'] as const;

type Records = ReadonlyMap<VolumeId, { readonly session: number; readonly n: number }[]>;

/** A folder's whole content. */
interface Folder {
  readonly rows: ReadonlyMap<TableName, ReadonlyMap<string, unknown>>;
  readonly records: Records;
}

export class ScriptedSite {
  lineages = new MemoryLineages();
  core = new SiteState(EMPTY_SITE, this.lineages);
  isDiskFull = false;
  monotonicMs = 0;
  wallMs = WALL_AHEAD_MS;
  #life = 0;
  #stored = new Map<TableName, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));
  #copy: Folder | undefined;

  /** Runs a call and stores what it changed. */
  change<T>(call: () => T): T {
    let output: T;
    try {
      output = call();
    } catch (error) {
      // What a refused call changed is stored too (it may have aborted an expired attempt), unless
      // it met a row that can't be read.
      if (error instanceof MoverError && error.code !== 'CORRUPT' && error.code !== 'VOLUME_UNUSABLE') this.#store();
      else this.core.undo();
      throw error;
    }
    this.#store();
    return output;
  }

  get now(): SiteMoment {
    const { monotonicMs, wallMs } = this;
    return { monotonicMs, wallMs, ageMs: wallMs - WALL_AHEAD_MS + AGE_AHEAD_MS };
  }

  /** The first life: volumes and groups from an estate file. */
  found(
    volumes: readonly { readonly id: string; readonly group: string; readonly splitter?: string }[],
    rooms: ReadonlyMap<string, number>,
  ): void {
    const splitters = new Set(volumes.map(({ splitter = 's1' }) => splitter));
    const estate: EstateInput = {
      replicaSite: { control: { port: 1 } },
      appliances: GROUPS.map((group) => ({ id: `for-${group}`, control: { port: 1 }, nbd: { port: 1 } })),
      splitters: [...splitters].map((id) => ({
        id,
        control: { port: 1 },
        nbd: { port: 1 },
        volumes: volumes
          .filter(({ splitter = 's1' }) => splitter === id)
          .map((volume) => ({ id: volume.id, sizeMiB: 1, group: volume.group })),
      })),
      groups: GROUPS.map((id) => ({
        id,
        appliance: `for-${id}`,
        ...(rooms.has(id) ? { volumesMax: rooms.get(id) } : {}),
      })),
      worker: { health: { port: 1 } },
    };
    this.begin();
    followEstate(this.core, estateSchema.parse(estate), this.wallMs);
  }

  /** A life of the site with what is stored. Its monotonic clock begins at 0. */
  begin(unreadable?: { readonly table: TableName; readonly key: string }): void {
    const rows = { ...EMPTY_SITE };
    for (const [name, stored] of this.#stored) {
      const readable = [...stored].filter(([key]) => unreadable?.table !== name || unreadable.key !== key);
      Object.assign(rows, { [name]: readable });
    }
    const reasons =
      unreadable === undefined
        ? new Map<TableName, ReadonlyMap<string, string>>()
        : new Map([[unreadable.table, new Map([[unreadable.key, `row ${unreadable.key} can't be read`]])]]);
    this.core = new SiteState({ ...rows, unreadable: reasons }, this.lineages);
    this.#life += 1;
    this.monotonicMs = 0;
    this.core.beginLife({ number: this.#life, beganAtMs: 0 });
  }

  /** Takes from a stored record what earlier versions did not store. */
  makeOld(attempt: string): void {
    const stored = this.#stored.get('attempts');
    const row = stored?.get(attempt) as AttemptRow | undefined;
    if (row === undefined) throw new Error(`nothing is stored of ${attempt}`);
    const { decided: _decided, contents, ...record } = row.record;
    if (contents === undefined) throw new Error(`${attempt} has no contents`);
    const { lease: _lease, deadline: _deadline, pointOrder: _order, ...old } = contents;
    stored?.set(attempt, { record: { ...record, contents: old } } satisfies AttemptRow);
  }

  /** Copies the folder, for `putBack`. */
  copy(): void {
    this.#copy = {
      rows: new Map([...this.#stored].map(([name, rows]) => [name, new Map(rows)])),
      records: new Map([...this.lineages.records].map(([volume, records]) => [volume, [...records]])),
    };
  }

  /** An older copy of the folder is put back, and the site starts with it. */
  putBack(): void {
    if (this.#copy === undefined) throw new Error('there is no copy');
    this.#stored = new Map([...this.#copy.rows].map(([name, rows]) => [name, new Map(rows)]));
    this.lineages = new MemoryLineages();
    for (const [volume, records] of this.#copy.records) this.lineages.records.set(volume, [...records]);
    this.begin();
  }

  #store(): void {
    const changes = this.core.changes();
    if (changes.length > 0 && this.isDiskFull) {
      this.core.undo();
      throw new MoverError('STORAGE_FULL', 'no room');
    }
    for (const { table, key, value } of changes) {
      const rows = TABLE_NAMES.filter((name) => name === table).map((name) => this.#stored.get(name));
      for (const stored of rows) {
        if (value === undefined) stored?.delete(key);
        else stored?.set(key, value);
      }
    }
    this.core.settle();
  }
}
