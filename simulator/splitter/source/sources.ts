// The sources of all volumes: notes their files, checks them at a start, and bars each until it is
// known to be the volume's.
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import type { Estate } from '../../../contracts/estate.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { SplitterCore } from '../core/splitter-core.js';
import type { VolumeSplit } from '../core/volume-split.js';
import type { VolumeFiles } from '../files/volume-files.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import { foreignSource, missingSource } from '../volume/refusals.js';
import { isSameFile, type SourceChecks, type SourceFinding } from './source-checks.js';
import { SourceDecisions } from './source-decisions.js';
import { SourceProofs } from './source-proofs.js';

export interface SourcesOptions {
  readonly core: SplitterCore;
  readonly checks: SourceChecks;
  readonly volumes: ReadonlyMap<VolumeId, ProtectedVolume>;
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly estate: Estate;
  readonly credentials: Credentials | undefined;
  /**
   * How long guests wait from the start on for the replica site's word about a new disk, in
   * milliseconds.
   */
  readonly proofWaitMs: number;
  /** The replica site knows the disks: guests may use them, and their writes are sent. */
  readonly onProven: (volumes: readonly ProtectedVolume[]) => void;
  /** A person decided about the disk: the volume is attached anew and compared. */
  readonly onDecided: (volume: ProtectedVolume) => void;
  readonly log: Logger;
}

/** What was found of one volume's source when the splitter started. */
export interface FoundSource {
  readonly split: VolumeSplit;
  readonly finding: SourceFinding;
}

export class Sources {
  readonly decisions: SourceDecisions;
  readonly #options: SourcesOptions;
  readonly #proofs: SourceProofs;
  /** Volumes whose file was just made: noted together in the next turn of the loop. */
  readonly #made = new Set<ProtectedVolume>();

  /** Bars each volume whose disk is unproven. */
  constructor(options: SourcesOptions) {
    const { core, checks, volumes, files, estate, credentials, proofWaitMs, onProven, onDecided, log } = options;
    this.#options = options;
    this.#proofs = new SourceProofs(volumes.values(), {
      core,
      waitMs: proofWaitMs,
      onProven: (proven) => {
        this.#note(proven, false);
        onProven(proven);
      },
      log,
    });
    this.decisions = new SourceDecisions({ core, checks, files, estate, credentials, onDecided, log });
  }

  /** Bars the disks that may not be used, and notes the files of the others. */
  start(found: readonly FoundSource[]): void {
    this.#storeFindings(found);
    for (const { split } of found) {
      const volume = this.#options.volumes.get(split.volume);
      if (split.sourceState === 'foreign') volume?.bar('foreign', foreignSource(split.volume));
      if (split.sourceState === 'missing') volume?.bar('missing', missingSource(split.volume));
    }
    this.#note(this.#inUse(), false);
  }

  /** Bars an added volume until its disk is proven. */
  added(volume: ProtectedVolume): void {
    this.#proofs.expect([volume]);
  }

  /** Notes a file that the volume's first write made. */
  made(volume: ProtectedVolume): void {
    if (this.#made.size === 0) setImmediate(() => this.#noteMade());
    this.#made.add(volume);
  }

  /** Takes the replica site's proof of the disk. */
  known(volume: ProtectedVolume): void {
    this.#proofs.known(volume);
  }

  /** Ends the wait for proofs, and recoveries under way. */
  async stop(): Promise<void> {
    this.#proofs.stop();
    await this.decisions.stop();
  }

  /** Notes that nobody writes the files any more: the next start finds later changes. */
  noteAtRest(): void {
    this.#note(this.#inUse(), true);
  }

  /** Refuses sources that are gone, and takes back those whose very file has returned. */
  #storeFindings(found: readonly FoundSource[]): void {
    const missing = found.filter(({ split, finding }) => split.sourceState !== 'foreign' && finding.kind === 'missing');
    const back = found.filter(({ split, finding }) => split.sourceState === 'missing' && isSameFile(finding));
    this.#store(missing, (split) => split.refuseSource('missing'));
    this.#store(back, (split) => split.sourceBack());
    for (const { split } of back) split.sourceState = split.row.refused ?? 'present';
    for (const { split } of missing) split.sourceState = 'missing';
  }

  /** Stores what was found. After a failure the next start finds the same from the same files. */
  #store(found: readonly FoundSource[], change: (split: VolumeSplit) => void): void {
    const { core, log } = this.#options;
    try {
      core.changeRows(
        found.map(({ split }) => split.volume),
        change,
      );
    } catch (error) {
      log.warn({ err: error }, 'findings about sources could not be stored');
    }
  }

  #inUse(): ProtectedVolume[] {
    return [...this.#options.volumes.values()].filter(({ barred }) => barred === undefined);
  }

  #noteMade(): void {
    this.#note([...this.#made], false);
    this.#made.clear();
  }

  #note(volumes: readonly ProtectedVolume[], atRest: boolean): void {
    const { checks, files, log } = this.#options;
    try {
      checks.note(
        volumes.map(({ id }) => [id, files(id).source]),
        atRest,
      );
    } catch (error) {
      log.warn({ err: error }, 'the state of the sources could not be stored');
    }
  }
}
