// Points share the members that did not change: what tens of thousands of them hold in memory.
import { expect, test } from 'vitest';
import { type GroupId, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { resolveAttempt } from '../../simulator/replica-site/core/attempts.js';
import { addPoint } from '../../simulator/replica-site/core/points.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { heldBytes } from '../support/held-memory.js';
import { LINEAGE } from '../support/identities.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { cut, G1, G2, ref, S1, SIZE_BYTES, SiteUnderTest, V1, V2 } from './site-core-fixture.js';
import type { Lineages, PointRow } from '../../simulator/replica-site/core/rows.js';

const POINTS = 10_000;
const MEMBERS = 128;
/** Volumes that were written since the point before. */
const WRITTEN = 8;
const HELD_BYTES_MAX = 25_000_000;

/** Each volume has as many writes as it was told. */
class CountedLineages implements Lineages {
  readonly counts = new Map<VolumeId, number>();

  durable(volume: VolumeId) {
    const position = this.counts.get(volume) ?? 0;
    return { position, session: 1, n: position, timeMs: position };
  }

  soundPosition(_volume: VolumeId, position: number): number {
    return position;
  }

  lineage(): typeof LINEAGE {
    return LINEAGE;
  }

  appliedPosition(volume: VolumeId): number {
    return this.durable(volume).position;
  }

  undistributedBytes(): number {
    return 0;
  }

  sessionBase(): number {
    return 0;
  }
}

/** A site with a group of 128 volumes, of which 8 are written between two of its points. */
function siteWithPoints(lineages: CountedLineages): SiteState {
  const ids = Array.from({ length: MEMBERS }, (_, i) => volumeIdSchema.parse(`volume-${i}`));
  const state = new SiteState(EMPTY_SITE, lineages);
  const group = new SiteUnderTest().state.group(G1);
  state.groups.put(G1, group);
  for (const volume of ids)
    state.volumes.put(volume, {
      volume,
      splitter: S1,
      sizeBytes: SIZE_BYTES,
      group: G1,
      epoch: 1,
      session: 1,
      sealed: false,
    });
  for (let time = 0; time < POINTS; time += 1) {
    for (let i = 0; i < WRITTEN; i += 1) {
      const volume = ids[(time * WRITTEN + i) % MEMBERS] ?? V1;
      lineages.counts.set(volume, (lineages.counts.get(volume) ?? 0) + 1);
    }
    const cuts = ids.map((volume) => cut(lineages.counts.get(volume) ?? 0, volume));
    addPoint(state, { group: G1, kind: 'periodic', atMs: time + 1, cuts, leftOut: [] });
    state.settle();
  }
  return state;
}

/** The rows as a store gives them: nothing of one is part of another. */
function* storedPoints(state: SiteState): Generator<[string, PointRow]> {
  for (const row of state.points.values()) yield [row.point.id, structuredClone(row)];
}

function countMembers(state: SiteState): number {
  return [...state.points.values()].reduce((sum, { point }) => sum + point.members.length, 0);
}

test('10,000 points of a group of 128 volumes are held in 25 MB, also when they are read from the store', async () => {
  const lineages = new CountedLineages();
  const before = await heldBytes();
  const made = siteWithPoints(lineages);
  const withMade = await heldBytes();
  const read = new SiteState({ ...EMPTY_SITE, points: storedPoints(made) }, lineages);
  const withRead = await heldBytes();
  for (const state of [made, read]) expect(countMembers(state)).toBe(POINTS * MEMBERS);
  expect(withMade - before).toBeLessThan(HELD_BYTES_MAX);
  expect(withRead - withMade).toBeLessThan(HELD_BYTES_MAX);
});

test('points share what did not change, and a point of before keeps what it says', () => {
  const site = new SiteUnderTest();
  for (const volume of [V1, V2]) site.attach(volume);
  const close = (v1: number, v2: number): RecoveryPoint =>
    addPoint(site.state, { group: G1, kind: 'periodic', atMs: 1, cuts: [cut(v1), cut(v2, V2)], leftOut: [] });
  const positions = ({ members }: RecoveryPoint): number[] => members.map(({ position }) => position);
  site.writes(1, 2);
  site.writes(1, 1, V2);
  const [first, same, changed] = [close(1, 1), close(1, 1), close(2, 1)];
  expect(same.members).toBe(first.members);
  expect(changed.members[1]).toBe(first.members[1]);
  expect([first, same, changed].map(positions)).toEqual([
    [1, 1],
    [1, 1],
    [2, 1],
  ]);
});

test('a volume that moved without a write is a member anew', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 1);
  const close = (group: GroupId): RecoveryPoint =>
    addPoint(site.state, { group, kind: 'periodic', atMs: 1, cuts: [cut(1)], leftOut: [] });
  const before = close(G1);
  site.open(1);
  site.commit(ref(1));
  const after = close(G2);
  expect(before.members).toEqual([{ volume: V1, position: 1, epoch: 1 }]);
  expect(after.members).toEqual([{ volume: V1, position: 1, epoch: 2 }]);
});

test('a member that waits for a verdict is shared with no other point', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.attach(V2);
  site.writes(1, 1);
  site.open(1);
  const cuts = [{ ...cut(2), fencedBy: ref(1) }];
  const close = (): RecoveryPoint => addPoint(site.state, { group: G1, kind: 'periodic', atMs: 1, cuts, leftOut: [] });
  const fenced = [close(), close()];
  expect(fenced.map(({ members }) => members[0]?.provisional)).toEqual([ref(1), ref(1)]);
  resolveAttempt(site.state, ref(1), 'given up', 0);
  site.writes(2, 2);
  const after = addPoint(site.state, { group: G1, kind: 'periodic', atMs: 2, cuts: [cut(2)], leftOut: [] });
  expect(after.members).toEqual([{ volume: V1, position: 2, epoch: 1 }]);
});
