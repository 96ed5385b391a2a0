// Opens the files of the splitter's volumes when it starts. A volume with unusable files is left
// out, and the others are served.
import { statSync, truncateSync } from 'node:fs';
import type { Logger } from 'pino';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { LifeId } from '../../contracts/lineage.js';
import type { UnusableVolume } from '../../contracts/splitter-api.js';
import { systemCalls } from '../disk/disk-calls.js';
import { MemoryBudget } from './core/copies.js';
import { VolumeSplit, type VolumeSplitRow } from './core/volume-split.js';
import { BacklogFile } from './files/backlog-file.js';
import { type LoadedMarks, loadMarks, MarksFile } from './files/marks-file.js';
import { SourceFile } from './files/source-file.js';
import type { VolumeFiles } from './files/volume-files.js';
import { WriteTrace } from './files/write-trace.js';
import type { SplitterLimits } from './limits.js';
import type { Confirmations } from './marks/confirmations.js';
import { monotonicMs, nowMs } from './shared/clock.js';
import { isSameFile, type SourceChecks, type SourceFinding } from './source/source-checks.js';
import { unusable } from './volume-rows.js';
import type { ProtectedVolumeOptions } from './volume/protected-volume.js';

export interface LoadOptions {
  readonly id: SplitterId;
  /** The session that the volumes begin with; NO_SESSION when its number can't be stored yet. */
  readonly session: number;
  readonly life: LifeId;
  readonly rows: readonly VolumeSplitRow[];
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly confirmations: Confirmations;
  readonly checks: SourceChecks;
  readonly limits: SplitterLimits;
  /** Whether numbered writes are recorded for tests. */
  readonly trace: boolean;
  readonly log: Logger;
}

/** A volume's state machine with its open files. */
export interface LoadedVolume extends Pick<
  ProtectedVolumeOptions,
  'split' | 'source' | 'marksFile' | 'marksLost' | 'resumesComparison' | 'trace'
> {
  readonly finding: SourceFinding;
}

export interface LoadedVolumes {
  readonly loaded: readonly LoadedVolume[];
  readonly unusable: readonly UnusableVolume[];
  /** The memory that the volumes share, for those that are added later. */
  readonly budget: MemoryBudget;
}

export function loadVolumes(options: LoadOptions): LoadedVolumes {
  const budget = new MemoryBudget(options.limits.memoryMaxBytes, options.rows.length);
  const loaded: LoadedVolume[] = [];
  const leftOut: UnusableVolume[] = [];
  for (const row of options.rows) {
    const result = loadVolume(row, budget, options);
    if ('reason' in result) leftOut.push(result);
    else loaded.push(result);
  }
  return { loaded, unusable: leftOut, budget };
}

/** Loads one volume; one that can't be loaded is left out. */
export function loadVolume(
  row: VolumeSplitRow,
  budget: MemoryBudget,
  options: Omit<LoadOptions, 'rows'>,
): LoadedVolume | UnusableVolume {
  try {
    return load(row, budget, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return unusable(row.volume, `its files can't be used (${why})`, 'Repair what the message names');
  }
}

function load(
  row: VolumeSplitRow,
  budget: MemoryBudget,
  options: Omit<LoadOptions, 'rows'>,
): LoadedVolume | UnusableVolume {
  const { id, session, life, files, confirmations, checks, limits, trace, log } = options;
  const paths = files(row.volume);
  const hasGrown = finishGrowth(paths.source, row);
  const fault = sourceFault(paths.source, row.sizeBytes);
  if (fault !== undefined) return unusable(row.volume, fault, 'Put the right file in its place');
  const source = new SourceFile(paths.source, row.sizeBytes);
  const bitmap = tryMarks(paths.marks, row, source.isWritten);
  if (typeof bitmap === 'string')
    return unusable(
      row.volume,
      bitmap,
      'Mend the disk of that file, or remove the file: the whole volume is sent again then',
    );
  const { marks, lost } = bitmap;
  const confirmed = confirmations.of(row.volume);
  const finding = checks.find(row.volume, paths.source, marks.marked > 0 || (confirmed?.position ?? 0) > 0);
  const resumesComparison = row.comparing !== undefined;
  if (resumesComparison) marks.doubtMarked();
  const marksFile = new MarksFile(paths.marks, marks, lost !== undefined);
  if (hasGrown) {
    marks.markDirty([marks.regions - 1]);
    marksFile.resize();
  }
  const split = new VolumeSplit({
    row,
    splitter: id,
    session,
    life,
    confirmed,
    marks,
    budget,
    spill: new BacklogFile(paths.spill, limits.spillMaxBytes, log),
    queueMaxBytes: limits.queueMaxBytes,
    nowMs: nowMs(),
    beganAtMs: monotonicMs(),
    startReason: lost === undefined ? (row.comparing ?? 'splitter restarted') : 'bitmap lost',
  });
  if (lost !== undefined) {
    log.error({ volume: row.volume }, lost);
    split.note('marks', `Volume "${row.volume}": ${lost}`);
  }
  doubtChanged(split, marksFile, finding, log);
  return {
    split,
    source,
    marksFile,
    marksLost: lost !== undefined,
    resumesComparison,
    finding,
    trace: trace ? new WriteTrace(paths.trace, log) : undefined,
  };
}

/**
 * Has a volume compared with its replica if its source was changed or replaced while the splitter
 * was stopped.
 */
function doubtChanged(split: VolumeSplit, marksFile: MarksFile, finding: SourceFinding, log: Logger): void {
  if (finding.kind !== 'changed' && finding.kind !== 'replaced') return;
  const { volume, refused } = split.row;
  const isServed = refused === undefined || (refused === 'missing' && isSameFile(finding));
  if (!isServed) return;
  log.warn({ volume }, finding.reason);
  marksFile.storeAll(split.doubt(finding.reason, nowMs()));
  split.note(
    'doubt',
    `Volume "${volume}": ${finding.reason}. It is compared with its replica, and what differs is sent again.`,
  );
}

/**
 * Makes a source larger that an earlier life left as it was before the volume grew.
 * @returns whether it did: the marks may not have grown, either.
 */
function finishGrowth(path: string, { sizeBytes, formerBytes }: VolumeSplitRow): boolean {
  if (formerBytes === undefined || formerBytes >= sizeBytes) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size !== formerBytes) return false;
  truncateSync(path, sizeBytes);
  return true;
}

/** Says why a source file can't be the volume's; undefined when it can, or when there is none. */
export function sourceFault(path: string, sizeBytes: number): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) return `${path} is not a file`;
  // A splitter that died between making the file and setting its size leaves an empty one.
  return found.size === 0 || found.size === sizeBytes
    ? undefined
    : `its source ${path} has ${found.size} bytes instead of ${sizeBytes}`;
}

/**
 * Loads the bitmap of marks.
 * @returns a sentence when the file exists and can't be read. It may be readable later, so its
 * marks must not be guessed.
 */
function tryMarks(
  path: string,
  { sizeBytes, formerBytes }: VolumeSplitRow,
  isSourceWritten: boolean,
): LoadedMarks | string {
  try {
    return loadMarks(path, sizeBytes, isSourceWritten, systemCalls, formerBytes);
  } catch (error) {
    return `its bitmap of marks ${path} can't be read (${error instanceof Error ? error.message : String(error)})`;
  }
}
