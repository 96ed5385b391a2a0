// What health says about full or failing disks: where, since when, what it means for the data, and
// what to do.
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { isOutOfRoom } from '../store/storage-failure.js';
import { ROOM_BYTES_MIN } from './intake/limits.js';
import { isRefusal } from './journal/files/file-refusal.js';
import type { Stall, StalledPart, VolumeJournal } from './journal/terms/types.js';
import type { Site } from './site.js';

const MIB = 1024 * 1024;
/** Most volumes named in one sentence; the others are counted. */
const NAMED_MAX = 10;
/** Room that the site's rows need: for some hundred changes. */
const ROWS_ROOM_BYTES_MIN = MIB;

export interface StorageNotesOptions {
  readonly site: Pick<Site, 'failure'>;
  readonly rowsFolder: string;
  readonly volumesFolder: string;
  readonly journals: {
    readonly open: ReadonlyMap<VolumeId, Pick<VolumeJournal, 'stalls' | 'undistributedBytes'>>;
    readonly unusable: ReadonlyMap<VolumeId, unknown>;
  };
  readonly freeBytes: (folder: string) => number | undefined;
}

interface Stalled extends Stall {
  readonly volume: VolumeId;
  readonly part: StalledPart;
  readonly undistributedBytes: number;
}

const MEANINGS: Readonly<Record<StalledPart, string>> = {
  intake:
    'no new writes are accepted. The splitter keeps them as marks: nothing is lost, and new recovery points leave the volume out',
  distribution:
    "durable writes wait in the journal to be applied, and the newest positions can't be opened as images yet",
  retention: 'history that no recovery point needs is not deleted, and takes room',
};
const PARTS = ['intake', 'distribution', 'retention'] as const satisfies readonly StalledPart[];

/** Sentences about what disks hold up; empty if nothing. */
export function storageNotes(options: StorageNotesOptions): string[] {
  const stalled = stalledOf(options);
  const full = stalled.filter(({ error }) => isOutOfRoom(error.cause));
  const failing = stalled.filter((one) => !full.includes(one));
  return [
    ...notesOfRows(options),
    ...notesOfFull(options, full),
    ...notesOfFailing(failing),
    ...notesOfUnusable(options),
  ];
}

function stalledOf({ journals }: StorageNotesOptions): readonly Stalled[] {
  return [...journals.open].flatMap(([volume, journal]) =>
    [...journal.stalls].map(([part, stall]) => ({
      ...stall,
      volume,
      part,
      undistributedBytes: journal.undistributedBytes,
    })),
  );
}

function notesOfRows({ site, rowsFolder, freeBytes }: StorageNotesOptions): string[] {
  if (site.failure === undefined) return [];
  const { error, sinceMs } = site.failure;
  const free = freeBytes(rowsFolder);
  const isFull = error.code === 'STORAGE_FULL';
  // There is room again, but no change was tried since.
  if (isFull && free !== undefined && free >= ROWS_ROOM_BYTES_MIN) return [];
  const what = isFull
    ? `The disk of ${rowsFolder} is full since ${time(sinceMs)}: ${mib(free)} are free, at least ${mib(ROWS_ROOM_BYTES_MIN)} are needed.`
    : `Changes can't be stored in ${rowsFolder} since ${time(sinceMs)}: ${error.message}`;
  return [
    `${what} No recovery point is closed, and calls that change something are refused; everything stored before is safe and can be read. ${whatToDo(isFull)}`,
  ];
}

function notesOfFull({ volumesFolder, freeBytes }: StorageNotesOptions, full: readonly Stalled[]): string[] {
  if (full.length === 0) return [];
  const sinceMs = Math.min(...full.map((one) => one.sinceMs));
  const waiting = new Map(full.map(({ volume, undistributedBytes }) => [volume, undistributedBytes]));
  const wanted = [...waiting.values()].reduce((sum, bytes) => sum + bytes, ROOM_BYTES_MIN);
  const parts = PARTS.flatMap((part) => partOf(part, full));
  return [
    `The disk of ${volumesFolder} is full since ${time(sinceMs)}: ${mib(freeBytes(volumesFolder))} are free, at least ${mib(wanted)} are needed. ${parts.join(' ')} ${whatToDo(true)}`,
  ];
}

function notesOfFailing(failing: readonly Stalled[]): string[] {
  const messages = new Map<string, Stalled[]>();
  for (const one of failing) {
    const { cause } = one.error;
    const where = isRefusal(cause) && cause.path !== undefined ? cause.path : one.error.message;
    messages.set(where, [...(messages.get(where) ?? []), one]);
  }
  return [...messages].slice(0, NAMED_MAX).map(([where, stalled]) => {
    const sinceMs = Math.min(...stalled.map((one) => one.sinceMs));
    const why = stalled[0]?.error.cause;
    const parts = PARTS.flatMap((part) => partOf(part, stalled));
    const [unread] = isReading(why) ? stalled.filter(({ part }) => part === 'distribution') : [];
    return `${where} can't be used since ${time(sinceMs)}: ${why instanceof Error ? why.message : ''}. ${parts.join(' ')} ${whatToDo(false, unread?.volume)}`;
  });
}

function notesOfUnusable({ journals }: StorageNotesOptions): string[] {
  return [...journals.unusable].map(([volume, error]) => {
    if (isBeingRebuilt(error))
      return `${error.message} Until then the splitter keeps its writes as marks, and its images can't be opened. Nothing to do.`;
    return error instanceof Error && isRefusal(error)
      ? `The journal of volume "${volume}" can't be opened: ${error.message}. Its writes are kept as marks at the splitter, and its images can't be opened; nothing is lost. ${whatToDo(isOutOfRoom(error), isReading(error) ? volume : undefined)}`
      : `The journal of volume "${volume}" can't be used (${error instanceof Error ? error.message : String(error)}): no new writes are accepted, and none of its points open. If its disk is sound: volume-mover rebuild ${volume}`;
  });
}

function partOf(part: StalledPart, stalled: readonly Stalled[]): string[] {
  const volumes = stalled.filter((one) => one.part === part).map(({ volume }) => volume);
  if (volumes.length === 0) return [];
  const named = volumes.slice(0, NAMED_MAX).join(', ');
  const more = volumes.length > NAMED_MAX ? ` and ${volumes.length - NAMED_MAX} more` : '';
  return [`${volumes.length} volume${volumes.length === 1 ? '' : 's'} (${named}${more}): ${MEANINGS[part]}.`];
}

/**
 * What people can do.
 * @param unread a volume that waits for a disk that refuses to read: a person may give up what it
 * held
 */
function whatToDo(isFull: boolean, unread?: VolumeId): string {
  if (isFull) return 'Make room on that disk: the site then goes on by itself.';
  const giveUp = `If what it can't read is lost for good: volume-mover rebuild ${unread} (recovery points that need it are lost)`;
  return `Check that disk: the site tries again by itself.${unread === undefined ? '' : ` ${giveUp}.`}`;
}

function isReading(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'read';
}

function isBeingRebuilt(error: unknown): error is MoverError {
  return error instanceof MoverError && error.code === 'VOLUME_BUSY';
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function mib(bytes: number | undefined): string {
  return bytes === undefined ? 'an unknown number of MiB' : `${(bytes / MIB).toFixed(1)} MiB`;
}
