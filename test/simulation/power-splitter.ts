// A splitter's volume on a disk that may lose power: the shells as a start wires them, with sync.
import type { Confirmed } from '../../contracts/lineage.js';
import { lifeOf, SOURCE } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { DiskCalls } from '../../simulator/disk/disk-calls.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { firstRegion } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';
import { loadMarks, MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { ProtectedVolume } from '../../simulator/splitter/volume/protected-volume.js';
import { SourceFile } from '../../simulator/splitter/files/source-file.js';

export const VOLUME = volumeIdSchema.parse('v1');
export const SPLITTER = splitterIdSchema.parse('s1');
export const GROUP = groupIdSchema.parse('g1');
/** Folders of every disk that the volume is started on. */
export const SPLITTER_FOLDERS = ['/splitter', '/splitter/volumes'] as const;
const FILES = { source: '/splitter/volumes/v1.img', marks: '/splitter/volumes/v1.marks' } as const;
const QUEUE_BYTES = 4 * 1024 * 1024;

export interface VolumeLife {
  readonly volume: ProtectedVolume;
  readonly source: SourceFile;
  readonly marksFile: MarksFile;
}

export interface VolumeLifeOptions {
  readonly session: number;
  /** Confirmed position as an earlier life stored it. */
  readonly confirmed?: Confirmed | undefined;
  readonly sizeBytes: number;
  /** Whether a write waits for the sync of a mark that another write set, as it must. */
  readonly waitsForMarks?: boolean;
  readonly onMarked?: (volume: ProtectedVolume) => void;
}

export function startVolume(
  calls: DiskCalls,
  { session, confirmed, sizeBytes, waitsForMarks = true, onMarked = () => undefined }: VolumeLifeOptions,
): VolumeLife {
  const source = new SourceFile(FILES.source, sizeBytes, calls);
  const { marks, lost } = loadMarks(FILES.marks, sizeBytes, source.isWritten, calls);
  const split = new VolumeSplit({
    row: {
      volume: VOLUME,
      sizeBytes,
      route: { group: GROUP, appliance: applianceIdSchema.parse('a1'), url: 'http://127.0.0.1:1', epoch: 1 },
      source: SOURCE,
      proven: true,
    },
    splitter: SPLITTER,
    session,
    life: lifeOf(session),
    confirmed,
    marks,
    budget: new MemoryBudget(QUEUE_BYTES),
    spill: NO_SPILL,
    queueMaxBytes: QUEUE_BYTES,
    nowMs: 0,
    beganAtMs: 0,
    startReason: 'restarted',
  });
  const marksFile = new (waitsForMarks ? MarksFile : HastyMarksFile)(FILES.marks, marks, lost !== undefined, calls);
  const volume = new ProtectedVolume({
    split,
    source,
    marksFile,
    held: new HeldAcknowledgements(new Holds()),
    sync: true,
    marksLost: lost !== undefined,
    events: { onNumbered: () => undefined, onMarked, onSettled: () => undefined },
  });
  volume.guestCame();
  return { volume, source, marksFile };
}

class HastyMarksFile extends MarksFile {
  readonly #synced = new Set<number>();

  /** Here only the write that sets a mark waits for it. */
  override whenSynced(offset: number, length: number): Promise<void> | undefined {
    const region = firstRegion(offset);
    if (this.#synced.has(region)) return undefined;
    this.#synced.add(region);
    return super.whenSynced(offset, length);
  }

  override storeCleared(regions: readonly number[]): void {
    for (const region of regions) this.#synced.delete(region);
    super.storeCleared(regions);
  }
}
