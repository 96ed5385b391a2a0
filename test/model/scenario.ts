// What a search starts from: a small estate, what the guest writes, what the mover tries, and how
// much may go wrong.
import type { Endpoint } from '../../contracts/attempt.js';
import type { ApplianceId, GroupId, MoveId, SplitterId, VolumeId } from '../../contracts/ids.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import type { GroupRow, VolumeRow } from '../../simulator/replica-site/core/rows.js';
import { REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import type { VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';
import { SOURCE } from '../support/identities.js';
import type { MoverFlaws, Try } from './mover.js';
import type { Flaw } from './site-part.js';

export interface Flaws extends MoverFlaws {
  /** A splitter whose lease ran out takes the move for aborted, and asks nobody. */
  readonly leaseDecides?: boolean;
  /** The source is written before the mark is stored. */
  readonly marksLate?: boolean;
  /** Changes a rule of the site. */
  readonly site?: Flaw;
}

export interface Scenario {
  /** The splitter of each volume. */
  readonly volumes: readonly { readonly volume: VolumeId; readonly splitter: SplitterId }[];
  readonly tries: readonly Try[];
  /** Volumes the guest writes to, one write after the other. */
  readonly writes: readonly VolumeId[];
  /** Crashes of splitters, restarts of the site and broken streams, at most. */
  readonly crashes: number;
  readonly restarts: number;
  readonly breaks: number;
  /** Whether the site forgets attempts that are over, as soon as it may. */
  readonly forgets?: boolean;
  /** Memory of a volume's queue, in bytes. */
  readonly queueBytes: number;
  readonly flaws: Flaws;
}

export const S0 = 's0' as SplitterId;
const S1 = 's1' as SplitterId;
export const V0 = 'v0' as VolumeId;
export const V1 = 'v1' as VolumeId;
const MOVE_A = 'a' as MoveId;
const MOVE_B = 'b' as MoveId;
export const GOLD: Endpoint = endpoint('gold', 'a1');
export const SILVER: Endpoint = endpoint('silver', 'a2');

function endpoint(group: string, appliance: string): Endpoint {
  return { group: group as GroupId, appliance: appliance as ApplianceId, url: `http://${appliance}.test` };
}

/** Room for all copies of a search. */
export const ROOMY_BYTES = 8 * REGION_BYTES;
/** Room for one copy of a guest's write. */
export const TIGHT_BYTES = 5_000;

export const TWO_SPLITTERS = [
  { volume: V0, splitter: S0 },
  { volume: V1, splitter: S1 },
] as const;
export const ONE_SPLITTER = [
  { volume: V0, splitter: S0 },
  { volume: V1, splitter: S0 },
] as const;

/** One move from gold to silver, of all volumes. */
export function attempts(volumes: Scenario['volumes'], count: number): Try[] {
  return Array.from({ length: count }, (_, i) => ({
    attempt: { move: MOVE_A, n: i + 1 },
    from: GOLD,
    to: SILVER,
    volumes: volumes.map((placed) => ({ ...placed, epoch: 1 })),
  }));
}

/** That move, and the one back: calls of the first may arrive during the second. */
export function thereAndBack(volumes: Scenario['volumes']): Try[] {
  const back: Try = {
    attempt: { move: MOVE_B, n: 1 },
    from: SILVER,
    to: GOLD,
    volumes: volumes.map((placed) => ({ ...placed, epoch: 2 })),
  };
  return [...attempts(volumes, 1), back];
}

export function splittersOf({ volumes }: Scenario): SplitterId[] {
  return [...new Set(volumes.map(({ splitter }) => splitter))];
}

export function siteRows({ volumes }: Scenario): { readonly groups: GroupRow[]; readonly volumes: VolumeRow[] } {
  return {
    groups: [GOLD, SILVER].map(({ group, appliance }) => ({
      group,
      appliance,
      volumesMax: 64,
      pointEveryMs: 1_000,
      lastPointAtMs: 0,
      retention: retentionPolicySchema.parse({}),
      journal: { bytes: 0, pointsDropped: 0 },
    })),
    volumes: volumes.map(({ volume, splitter }) => ({
      volume,
      splitter,
      sizeBytes: REGION_BYTES,
      group: GOLD.group,
      epoch: 1,
      session: 0,
      sealed: false,
    })),
  };
}

export function splitterRows({ volumes }: Scenario, of: SplitterId): VolumeSplitRow[] {
  return volumes
    .filter(({ splitter }) => splitter === of)
    .map(({ volume }) => ({ volume, sizeBytes: REGION_BYTES, route: { ...GOLD, epoch: 1 }, source: SOURCE }));
}
