// How old the newest recoverable state of a group is: it grows with the member that is furthest
// behind, and does not jump at a restart, an empty group or a new volume.
import { expect, test } from 'vitest';
import type { VolumeId } from '../../contracts/ids.js';
import type { LeftOut } from '../../contracts/point.js';
import { closeGroupPoint } from '../../simulator/replica-site/core/attempts.js';
import { setGroup } from '../../simulator/replica-site/core/lifecycle.js';
import { RecoveryAges } from '../../simulator/replica-site/recovery-ages.js';
import { momentAt } from '../support/moment.js';
import { cut, G1, G2, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

class Watched {
  readonly site = new SiteUnderTest();
  nowMs = 0;
  ages = this.#newLife();

  constructor() {
    for (const volume of [V1, V2]) {
      this.site.attach(volume);
      this.site.write(1, volume);
    }
  }

  #newLife(): RecoveryAges {
    const { site } = this;
    const now = () => momentAt(this.nowMs);
    return new RecoveryAges({
      get state() {
        return site.state;
      },
      get now() {
        return now();
      },
    });
  }

  restart(): void {
    this.site.restart();
    this.ages = this.#newLife();
  }

  close(atMs: number, volumes: readonly VolumeId[], leftOut: readonly LeftOut[] = []): void {
    this.nowMs = atMs;
    const cuts = volumes.map((volume) => cut(1, volume));
    const input = { group: G1, kind: 'periodic', atMs, cuts, leftOut } as const;
    this.ages.closed(closeGroupPoint(this.site.state, input, momentAt(atMs)));
  }

  rpoAt(nowMs: number): number | undefined {
    this.nowMs = nowMs;
    return this.ages.rpoMs(G1, nowMs);
  }
}

test('the RPO is the age of the newest point while it has every member', () => {
  const watched = new Watched();
  expect(watched.rpoAt(300)).toBe(300);
  watched.close(1_000, [V1, V2]);
  expect([watched.rpoAt(1_000), watched.rpoAt(4_000)]).toEqual([0, 3_000]);
  watched.close(5_000, [V1, V2]);
  expect(watched.rpoAt(5_500)).toBe(500);
});

test('a member that points leave out keeps the RPO growing from the last point that has it', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  watched.close(2_000, [V1], [{ volume: V2, reason: 'marks-only' }]);
  watched.close(9_000, [V1], [{ volume: V2, reason: 'initializing' }]);
  expect(watched.rpoAt(9_500)).toBe(8_500);
  expect(watched.ages.leftOut(G1)).toBe(1);
  watched.close(10_000, [V1, V2]);
  expect(watched.rpoAt(10_500)).toBe(500);
});

test('a member stays as far behind as it is when retention drops the last point that has it', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  watched.close(2_000, [V1], [{ volume: V2, reason: 'marks-only' }]);
  for (const { point } of watched.site.state.pointsOfGroup(G1)) watched.site.state.points.delete(point.id);
  watched.close(9_000, [V1], [{ volume: V2, reason: 'initializing' }]);
  expect(watched.rpoAt(9_500)).toBe(8_500);
});

test('a point without any member moves nothing on', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  watched.close(
    5_000,
    [],
    [
      { volume: V1, reason: 'unreachable' },
      { volume: V2, reason: 'unreachable' },
    ],
  );
  expect(watched.rpoAt(6_000)).toBe(5_000);
});

test('another life of the site knows the same from its stored points', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  watched.close(2_000, [V1], [{ volume: V2, reason: 'marks-only' }]);
  watched.close(3_000, [V1], [{ volume: V2, reason: 'marks-only' }]);
  watched.restart();
  expect(watched.rpoAt(4_000)).toBe(3_000);
  watched.close(5_000, [V1], [{ volume: V2, reason: 'initializing' }]);
  expect(watched.rpoAt(6_000)).toBe(5_000);
});

test('a group without volumes has no RPO, and its first volume is not as old as the time without', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  for (const [i, volume] of [V1, V2].entries()) {
    watched.site.open(1, { move: `m${i}`, volumes: [volume] });
    watched.site.commit(ref(1, `m${i}`));
  }
  expect(watched.rpoAt(90_000_000)).toBeUndefined();
  watched.site.open(1, { move: 'back', volumes: [V1], from: G2, to: G1 });
  watched.site.commit(ref(1, 'back'));
  expect(watched.rpoAt(90_000_500)).toBe(500);
});

test('health names a group above its RPO with the volumes that are behind, by its own setting', () => {
  const watched = new Watched();
  watched.close(1_000, [V1, V2]);
  watched.close(2_000, [V1], [{ volume: V2, reason: 'marks-only' }]);
  watched.nowMs = 61_000;
  expect(watched.ages.notes).toEqual([]);
  watched.nowMs = 61_001;
  expect(watched.ages.notes).toEqual([
    'Group "g1" can only be recovered as it was 60 s ago; its RPO is 60 s. Its newest point leaves out "v2". Earlier points are kept, and guests go on. Find out why: volume-mover groups, and the health of its appliance and splitters.',
  ]);
  setGroup(watched.site.state, { group: G1, dryRun: false, rpoMsMax: 120_000 }, momentAt(0));
  expect(watched.ages.notes).toEqual([]);
  setGroup(watched.site.state, { group: G1, dryRun: false, rpoMsMax: null }, momentAt(0));
  expect(watched.ages.notes).toHaveLength(1);
});
