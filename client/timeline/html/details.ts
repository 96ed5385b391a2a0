// Points for the page's script: only those that the picture refers to, each once.
import type { DamagedMember, RecoveryPoint } from '../../../contracts/point.js';
import { bookmarkText, bookmarkKeepText } from '../texts.js';
import { time } from '../../text/format.js';

/** Points described for one place of the picture. The others are counted. */
export const POINTS_DESCRIBED_MAX = 3;
/** Members named of one point; a group may have a thousand. */
const MEMBERS_NAMED_MAX = 24;

interface PointDetails {
  readonly id: string;
  readonly time: string;
  readonly group: string;
  readonly kind: string;
  readonly members: readonly string[];
  readonly membersMore: number;
  readonly leftOut: readonly string[];
  readonly damaged: readonly string[];
  readonly bookmark?: { readonly name: string; readonly keep: string };
}

export class DetailsTable {
  readonly #indexes = new Map<string, number>();
  readonly #points: PointDetails[] = [];
  readonly #damaged: readonly DamagedMember[];

  constructor(damaged: readonly DamagedMember[]) {
    this.#damaged = damaged;
  }

  get points(): readonly PointDetails[] {
    return this.#points;
  }

  /** Indexes of the first few points in the table. Missing ones are added. */
  indexesOf(points: readonly RecoveryPoint[]): number[] {
    return points.slice(0, POINTS_DESCRIBED_MAX).map((point) => {
      const index = this.#indexes.get(point.id) ?? this.#points.push(this.#detailsOf(point)) - 1;
      this.#indexes.set(point.id, index);
      return index;
    });
  }

  #detailsOf(point: RecoveryPoint): PointDetails {
    const own = this.#damaged.filter((member) => member.point === point.id);
    return detailsOf(
      point,
      own.map(({ volume, message }) => `${volume}: ${message}`),
    );
  }
}

function detailsOf(
  { id, atMs, group, kind, members, leftOut, bookmark }: RecoveryPoint,
  damaged: readonly string[],
): PointDetails {
  const named = members.slice(0, MEMBERS_NAMED_MAX);
  return {
    id,
    time: time(atMs),
    group,
    kind,
    members: named.map(({ volume, position, provisional }) => {
      const until = provisional === undefined ? '' : ', provisional until its move is decided';
      return `${volume} (position ${position}${until})`;
    }),
    membersMore: members.length - named.length,
    leftOut: leftOut.map(({ volume, reason }) => `${volume} (${reason})`),
    damaged,
    ...(bookmark === undefined ? {} : { bookmark: { name: bookmarkText(bookmark), keep: bookmarkKeepText(bookmark) } }),
  };
}
