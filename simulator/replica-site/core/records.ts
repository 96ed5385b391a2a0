// Decides whether a record of a splitter's stream is accepted: checks the epoch, and takes each
// write exactly once and in order.
import type { ErrorCode } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { Hole } from '../../../contracts/point.js';
import type { VolumeRow } from './rows.js';
import type { SiteState } from './state.js';

export interface RecordHead {
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
}

interface Refused {
  readonly kind: 'refuse';
  readonly code: ErrorCode;
  readonly message: string;
}

export type Admission = { readonly kind: 'append' } | { readonly kind: 'duplicate' } | Refused;

const APPEND: Admission = { kind: 'append' };
const DUPLICATE: Admission = { kind: 'duplicate' };
const refuse = (code: ErrorCode, message: string): Refused => ({ kind: 'refuse', code, message });

/** Decides on one record. `append` counts it as accepted: the caller must append it. */
export function admit(state: SiteState, volume: VolumeId, head: RecordHead): Admission {
  const row = state.volumes.get(volume);
  if (row === undefined) return missing(state, volume);
  if (row.retired !== undefined) return refuse('VOLUME_RETIRED', retiredSentence(volume));
  const stale = refuseHead(row, head);
  if (stale !== undefined) return stale;
  const accepted = state.acceptedN(row);
  if (head.session > row.session)
    return refuse('WRITE_GAP', `Session ${head.session} of volume "${volume}" has not attached.`);
  if (head.n <= accepted) return DUPLICATE;
  if (head.n !== accepted + 1)
    return refuse('WRITE_GAP', `Write ${head.n} of volume "${volume}" came after ${accepted}.`);
  if (row.sealed)
    return refuse('PENDING_VERDICT', `Volume "${volume}" is sealed: nothing is accepted before the verdict.`);
  state.accept(volume, head.session, head.n);
  return APPEND;
}

export function retiredSentence(volume: VolumeId): string {
  return `Volume "${volume}" is retired: nothing of it is accepted any more. Its recovery points are kept.`;
}

/** The refusal of a volume that has no row, or one that can't be read. */
export function missing(state: SiteState, volume: VolumeId): Refused {
  const unreadable = state.volumes.unreadable.get(volume);
  return unreadable === undefined
    ? refuse('VOLUME_NOT_FOUND', `There is no volume "${volume}" at the replica site.`)
    : refuse('VOLUME_UNUSABLE', unreadable);
}

function refuseHead(row: VolumeRow, head: RecordHead): Refused | undefined {
  const name = `Volume "${row.volume}"`;
  if (head.epoch !== row.epoch)
    return refuse('EPOCH_MISMATCH', `${name} is at epoch ${row.epoch}; epoch ${head.epoch} is refused.`);
  if (head.session < row.session)
    return refuse('STALE_SESSION', `${name} is at session ${row.session}; session ${head.session} is refused.`);
  return undefined;
}

export function holeKey({ volume, fromPosition }: Pick<Hole, 'volume' | 'fromPosition'>): string {
  return `${volume}:${fromPosition}`;
}

/** Begins a short initialization at a position: no point from it on may contain the volume. */
export function beginHole(
  state: SiteState,
  volume: VolumeId,
  hole: Pick<Hole, 'fromPosition' | 'sinceMs' | 'reason'>,
): void {
  const row = state.volume(volume);
  if (row.openHole !== undefined) return;
  const key = holeKey({ volume, ...hole });
  state.holes.put(key, { hole: { volume, ...hole } });
  state.volumes.put(volume, { ...row, openHole: key });
}

/**
 * Ends the short initialization with the record at a position: the volume is consistent from it on.
 * Times are labels: if the clock was set back before the beginning, the end is shown as the
 * beginning.
 */
export function endHole(state: SiteState, volume: VolumeId, toPosition: number, untilMs: number): void {
  const { openHole, ...row } = state.volume(volume);
  if (openHole === undefined) return;
  const open = state.holes.get(openHole);
  if (open !== undefined)
    state.holes.put(openHole, { hole: { ...open.hole, toPosition, untilMs: Math.max(untilMs, open.hole.sinceMs) } });
  state.volumes.put(volume, row);
}

/**
 * Mends rows of holes when the volume's journal is opened. A hole's row is stored before its record
 * is appended, so it may speak of a record that never became durable, or is lost. A lost beginning
 * is forgotten (the splitter sends it again); a lost end opens the hole again.
 */
export function mendHolesOf(state: SiteState, volume: VolumeId): void {
  const isSound = (position: number): boolean => state.lineages.soundPosition(volume, position) === position;
  for (const hole of state.holesOf(volume)) {
    const key = holeKey(hole);
    const row = state.volume(volume);
    if (!isSound(hole.fromPosition)) {
      state.holes.delete(key);
      const { openHole, ...rest } = row;
      if (openHole === key) state.volumes.put(volume, rest);
    } else if (hole.toPosition !== undefined && !isSound(hole.toPosition)) {
      const { toPosition: _to, untilMs: _until, ...open } = hole;
      state.holes.put(key, { hole: open });
      state.volumes.put(volume, { ...row, openHole: key });
    }
  }
}

/** Mends the holes of all volumes, for a site that knows all its journals from the start. */
export function mendHoles(state: SiteState): void {
  for (const volume of new Set([...state.holes.values()].map((row) => row.hole.volume))) mendHolesOf(state, volume);
}
