// The replica site of the history properties: the real rules over real journals, whose files a test
// can stop at any call.
import type { VolumeId } from '../../contracts/ids.js';
import { lineageIdSchema, type LineageId } from '../../contracts/lineage.js';
import { mendHolesOf } from '../../simulator/replica-site/core/records.js';
import { acceptedSize } from '../../simulator/replica-site/core/sizes.js';
import type { Lineages } from '../../simulator/replica-site/core/rows.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES } from '../../simulator/replica-site/core/state.js';
import type { RowChange } from '../../simulator/replica-site/core/table.js';
import type { Durable, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { momentAt } from '../support/moment.js';
import { MemoryDisk } from './journal-memory-disk.js';

const NOTHING: Durable = { position: 0, session: 0, n: 0, timeMs: 0 };
/** Small, so that a run of some dozens of writes fills several. */
const SEGMENT_BYTES = 8_192;

/** Rows as the store keeps them: they outlive the process. */
class Rows {
  readonly #tables = new Map<string, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));

  commit(changes: readonly RowChange[]): void {
    for (const { table, key, value } of changes) {
      if (value === undefined) this.#tables.get(table)?.delete(key);
      else this.#tables.get(table)?.set(key, value);
    }
  }

  load(lineages: Lineages): SiteState {
    const rows = { ...EMPTY_SITE };
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: [...(this.#tables.get(name) ?? [])] });
    return new SiteState(rows, lineages);
  }
}

export class HistorySite implements Lineages {
  readonly disk = new MemoryDisk();
  /** The same map over all lives: what holds it sees the journals of the present one. */
  readonly journals = new Map<VolumeId, VolumeJournal>();
  readonly #rows = new Rows();
  readonly #volumes: readonly VolumeId[];
  readonly #sizeBytes: number;
  state: SiteState;
  nowMs: number;

  /** @param sizeBytes of volumes that have no row yet */
  constructor(volumes: readonly VolumeId[], sizeBytes: number, nowMs: number) {
    this.#volumes = volumes;
    this.#sizeBytes = sizeBytes;
    this.nowMs = nowMs;
    this.state = this.#rows.load(this);
  }

  get now(): SiteMoment {
    return momentAt(this.nowMs);
  }

  change<Result>(rule: (state: SiteState, now: SiteMoment) => Result): Result {
    try {
      return rule(this.state, this.now);
    } finally {
      this.#rows.commit(this.state.changes());
      this.state.settle();
    }
  }

  /** A new life from what is on the disk and in the store. */
  async start(): Promise<void> {
    this.disk.revive();
    const { volumes: rows } = this.#rows.load(this);
    for (const volume of this.#volumes) {
      const row = rows.get(volume);
      this.journals.set(
        volume,
        await openVolumeJournal({
          directory: `/${volume}`,
          sizeBytes: row === undefined ? this.#sizeBytes : acceptedSize(row),
          segmentBytes: SEGMENT_BYTES,
          files: this.disk,
        }),
      );
    }
    this.state = this.#rows.load(this);
    this.change((state) => {
      for (const volume of this.#volumes) mendHolesOf(state, volume);
    });
  }

  /** Orderly, unless the disk is dead. */
  async stop(): Promise<void> {
    for (const journal of this.journals.values()) await journal.close().catch(() => undefined);
  }

  /** @throws Error for a volume that is not of this site */
  journal(volume: VolumeId): VolumeJournal {
    const journal = this.journals.get(volume);
    if (journal === undefined) throw new Error(`no journal of ${volume}`);
    return journal;
  }

  durable(volume: VolumeId): Durable {
    return this.journals.get(volume)?.durable ?? NOTHING;
  }

  soundPosition(volume: VolumeId, position: number): number {
    return this.journals.get(volume)?.soundPosition(position) ?? 0;
  }

  lineage(volume: VolumeId): LineageId {
    return lineageIdSchema.parse(this.journal(volume).lineage.id);
  }

  appliedPosition(volume: VolumeId): number {
    return this.journals.get(volume)?.applied.position ?? 0;
  }

  undistributedBytes(volume: VolumeId): number {
    return this.journals.get(volume)?.undistributedBytes ?? 0;
  }

  sessionBase(volume: VolumeId, session: number): number | undefined {
    return this.journals.get(volume)?.sessionBase(session);
  }
}
