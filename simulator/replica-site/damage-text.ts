// What people are told about damaged journals: what happened, what it means for their data, what to
// type next.
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { DamagedMember, RecoveryPoint } from '../../contracts/point.js';
import type { Damage, DamageOf } from './journal/terms/damage.js';
import type { VolumeJournal } from './journal/terms/types.js';

type Damaged = Pick<VolumeJournal, 'damage' | 'damageAt' | 'lineage'>;

/** Sentences about one volume's known damage, for health and listings. */
export function damageNotes(volume: VolumeId, { damage, lineage }: Damaged): readonly string[] {
  const history = damage.filter((one) => one.kind === 'history').filter((one) => one.accepted === undefined);
  const lost = damage.filter((one) => one.kind === 'records').filter((one) => one.wholeFrom === undefined);
  const replica = damage.filter((one) => one.kind === 'replica');
  return [
    ...historyNotes(volume, history),
    ...lost.map((one) => lostNote(volume, one, lineage.id)),
    ...replica.map((one) => replicaNote(volume, one)),
  ];
}

/** Members of points that can't be opened whole. */
export function damagedMembers(
  points: readonly RecoveryPoint[],
  journalOf: (volume: VolumeId) => Damaged | undefined,
): DamagedMember[] {
  return points.flatMap(({ id: point, members }) =>
    members.flatMap(({ volume, position }) => {
      const damage = journalOf(volume)?.damageAt(position);
      return damage === undefined ? [] : [{ point, volume, message: `${memberText(damage)}.` }];
    }),
  );
}

/**
 * Refuses to open a position that is damaged in any of its bytes.
 * @throws MoverError POINT_DAMAGED
 */
export function assertUndamaged(volume: VolumeId, position: number, journal: Damaged): void {
  const damage = journal.damageAt(position);
  if (damage === undefined) return;
  throw new MoverError(
    'POINT_DAMAGED',
    `Volume "${volume}" at position ${position}: ${memberText(damage)} (${damage.file}, byte ${damage.offset}).`,
  );
}

function memberText(damage: Damage): string {
  switch (damage.kind) {
    case 'history':
      return damage.bytes === undefined
        ? 'Old data that it needs is damaged or lost'
        : `${damage.bytes.length} bytes at ${damage.bytes.offset} of the volume are damaged`;
    case 'records':
      return 'It needs writes that the replica site has lost';
    case 'replica':
      return 'Blocks of the replica image are damaged';
  }
}

function historyNotes(volume: VolumeId, history: readonly DamageOf<'history'>[]): readonly string[] {
  const [first] = history;
  if (first === undefined) return [];
  const from = Math.min(...history.map((one) => one.from));
  const to = Math.max(...history.map((one) => one.to));
  const place = `${first.file}, byte ${first.offset}${history.length === 1 ? '' : ` and ${history.length - 1} more places`}`;
  return [
    `History of volume "${volume}" is damaged (${place}): recovery points that need it, between positions ${from} and ${to}, don't open. All others do, and new writes are protected. To list them: volume-mover points ${volume}. To check all of its history and note what is lost: volume-mover rebuild ${volume}`,
  ];
}

function lostNote(
  volume: VolumeId,
  { after, upTo, ranges, file, offset }: DamageOf<'records'>,
  lineage: string,
): string {
  const what =
    upTo > after
      ? `Writes ${after + 1} to ${upTo} of volume "${volume}" are lost`
      : `The writes of volume "${volume}" are lost`;
  const much = ranges === 'all' ? 'the whole volume' : `${bytesOf(ranges)} bytes of the volume`;
  return `${what} (${file}, byte ${offset}): its replica is not whole until ${much} has been sent again, in lineage ${lineage}. If that doesn't begin by itself: volume-mover resync ${volume}`;
}

function replicaNote(volume: VolumeId, { ranges, file, offset }: DamageOf<'replica'>): string {
  return `${bytesOf(ranges)} bytes of the replica of volume "${volume}" fail their checksum (${file}, byte ${offset}): they are not served, and points that need them can't be read there. The splitter compares the volume with its source and sends them again. If that doesn't begin by itself: volume-mover resync ${volume}`;
}

function bytesOf(ranges: readonly { readonly length: number }[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}
