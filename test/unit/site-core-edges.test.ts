// Edges of the replica site's rules: the very time, the very position, the very ticket; and two
// moves that share a point.
import { beforeEach, describe, expect, test } from 'vitest';
import { lineageIdSchema } from '../../contracts/lineage.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { attach, hear } from '../../simulator/replica-site/core/attach.js';
import { doubtAbout } from '../../simulator/replica-site/core/point-doubt.js';
import {
  addPoint,
  findPoint,
  newestPosition,
  type NewPoint,
  pointsOf,
} from '../../simulator/replica-site/core/points.js';
import { admit, beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import { claimOf, LINEAGE, lifeOf } from '../support/identities.js';
import { momentAt } from '../support/moment.js';
import { codeOf, cut, G1, G2, ref, SIZE_BYTES, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const NOON_MS = Date.UTC(2026, 0, 5, 12);
let site: SiteUnderTest;

beforeEach(() => {
  site = new SiteUnderTest();
  for (const volume of [V1, V2]) {
    site.attach(volume);
    site.writes(1, 5, volume);
  }
});

function close(cuts: NewPoint['cuts'], atMs = NOON_MS): RecoveryPoint {
  return addPoint(site.state, { group: G1, kind: 'periodic', atMs, cuts, leftOut: [] });
}

const behind = (n: number, volume: typeof V1, move: string) => ({ ...cut(n, volume), fencedBy: ref(1, move) });
const pointNow = ({ id }: RecoveryPoint): RecoveryPoint => site.state.point(id).point;

describe('given two moves out of one group, and a point with writes behind both fences', () => {
  let shared: RecoveryPoint;

  beforeEach(() => {
    site.open(1, { move: 'm1' });
    site.open(1, { move: 'm2', volumes: [V2] });
    shared = close([behind(8, V1, 'm1'), behind(9, V2, 'm2')]);
    expect(shared.members.map(({ provisional }) => provisional?.move)).toEqual(['m1', 'm2']);
  });

  test('when one commits, then the volume of the other still waits for its own verdict', () => {
    site.commit(ref(1, 'm1'));
    expect(pointNow(shared).members).toEqual([{ volume: V2, position: 9, epoch: 1, provisional: ref(1, 'm2') }]);
    site.commit(ref(1, 'm2'));
    expect(pointNow(shared).members).toEqual([]);
  });

  test('when one aborts, then the commit of the other still strikes its volume', () => {
    attempts.resolveAttempt(site.state, ref(1, 'm1'), 'test', 0);
    expect(pointNow(shared).members.map(({ provisional }) => provisional?.move)).toEqual([undefined, 'm2']);
    site.commit(ref(1, 'm2'));
    expect(pointNow(shared).members.map(({ volume }) => volume)).toEqual([V1]);
  });
});

describe('given writes behind a fence', () => {
  test('when their splitter began another life, then no later point contains them', () => {
    site.open(1);
    site.attach(V1, 2);
    expect(close([behind(8, V1, 'm1')]).leftOut).toContainEqual({ volume: V1, reason: 'behind' });
  });

  test('when the history is forked, then a point that waited for them no longer contains the volume', () => {
    site.open(1);
    const waiting = close([behind(8, V1, 'm1')]);
    attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    // The site comes up with another history, which goes further than that point.
    site.lineages.records.set(
      V1,
      Array.from({ length: 9 }, (_, i) => ({ session: 1, n: i + 1 })),
    );
    const confirmed = { lineage: lineageIdSchema.parse('a'.repeat(32)), position: 5 };
    expect(site.claim(V1, { session: 2, confirmed })).toBe('LINEAGE_FORKED');
    expect(pointNow(waiting).leftOut).toContainEqual({ volume: V1, reason: 'lost' });
  });
});

describe('given points one after the other', () => {
  test('when the very time of a point is asked for, then it is that point', () => {
    const points = [0, 1_000, 2_000].map((laterMs) => close([cut(5)], NOON_MS + laterMs));
    for (const { atMs, id } of points) {
      expect(findPoint(site.state, { group: G1, atMs }).id).toBe(id);
      expect(codeOf(() => findPoint(site.state, { group: G1, atMs: NOON_MS - 1 }))).toBe('POINT_NOT_FOUND');
    }
  });

  test('when the clock was set back in between, then a time that was gone through twice is told to be doubtful', () => {
    const minutes = [0, 20, 5, 6, 7];
    const closed = minutes.map((minute) => {
      const atMs = NOON_MS + minute * 60_000;
      const input: NewPoint = { group: G1, kind: 'periodic', atMs, cuts: [], leftOut: [] };
      return attempts.closeGroupPoint(site.state, input, momentAt(atMs));
    });
    expect(closed.map(({ clock }) => clock?.doubt !== undefined)).toEqual([false, false, true, false, false]);
    const askedMs = NOON_MS + 8 * 60_000;
    const found = findPoint(site.state, { group: G1, atMs: askedMs });
    expect(found.id).toBe(closed[4]?.id);
    expect(doubtAbout(site.state, { group: G1 }, found, askedMs)).toContain(`${closed[2]?.id}`);
  });

  test('when a snapshot has an equal position of one member and a later one of another, then it comes after them', () => {
    site.open(1);
    const early = close([cut(4), cut(3, V2)], NOON_MS + 60_000);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(5)], [cut(3, V2)], NOON_MS, {
      now: momentAt(NOON_MS),
    });
    expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([early.id, left?.point]);
  });

  test('when a member is behind the fence, then the others decide where the snapshot stands', () => {
    site.open(1);
    const early = close([behind(8, V1, 'm1'), cut(2, V2)], NOON_MS + 60_000);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(5)], [cut(3, V2)], NOON_MS, {
      now: momentAt(NOON_MS),
    });
    expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([early.id, left?.point]);
  });
});

describe('given a short initialization', () => {
  test('when its first record is the newest, then the newest state is refused; with its last one it opens', () => {
    beginHole(site.state, V1, { fromPosition: 5, sinceMs: 1, reason: 'test' });
    expect(codeOf(() => newestPosition(site.state, V1))).toBe('POINT_UNAVAILABLE');
    site.writes(6, 7);
    endHole(site.state, V1, 7, 2);
    expect(newestPosition(site.state, V1)).toBe(7);
  });
});

describe('given a splitter that attaches', () => {
  const claim = (changed: Partial<ReturnType<typeof claimOf>>) =>
    claimOf({ session: 2, epoch: 1, sizeBytes: SIZE_BYTES, ...changed });

  test('when it has seen the very ticket that is next, then the next attempt gets a newer one', () => {
    const { contents } = site.open(1);
    const seen = (contents?.ticket ?? 0) + 1;
    hear(site.state, V2, claim({ ticket: seen }), momentAt(0));
    expect(site.open(1, { move: 'm2', volumes: [V2] }).contents?.ticket).toBe(seen + 1);
  });

  test('when a point names one position more than there is, then the history is forked', () => {
    close([cut(5)]);
    site.lineages.records.set(V1, (site.lineages.records.get(V1) ?? []).slice(0, 4));
    site.restart();
    const confirmed = { lineage: LINEAGE, position: 4 };
    expect(hear(site.state, V1, claim({ confirmed }), momentAt(0)).kind).toBe('fork');
  });

  test('when it is another life, then it hears which life was attached before', () => {
    expect(attach(site.state, V1, claim({ life: lifeOf(2) })).former).toBe(lifeOf(1));
    expect(attach(site.state, V1, claim({ life: lifeOf(2) })).former).toBe(lifeOf(2));
  });
});

test('given records that are accepted and not durable yet, then the next one follows them', () => {
  const kinds = [6, 7, 7, 9].map((n) => admit(site.state, V1, { session: 1, n, epoch: 1 }).kind);
  expect(kinds).toEqual(['append', 'append', 'duplicate', 'refuse']);
});

test('given room for one more volume, when a move is open that will take it, then another move is refused', () => {
  site.state.groups.put(G2, { ...site.state.group(G2), volumesMax: 1 });
  site.open(1);
  expect(codeOf(() => site.open(1, { move: 'm2', volumes: [V2] }))).toBe('GROUP_FULL');
});

describe('given a volume that moved there, back, and there again', () => {
  test('when the last move joins on a point of the first stay, then it is not joined', () => {
    const closeIn = (group: typeof G2, n: number) =>
      addPoint(site.state, { group, kind: 'demand', atMs: NOON_MS, cuts: [cut(n)], leftOut: [] });
    site.open(1);
    site.commit(ref(1));
    const former = closeIn(G2, 5);
    site.open(1, { move: 'm2', from: G2, to: G1 });
    site.commit(ref(1, 'm2'));
    site.open(1, { move: 'm3' });
    site.commit(ref(1, 'm3'));
    expect(former.members).toMatchObject([{ volume: V1, epoch: 2 }]);
    expect(attempts.joinAttempt(site.state, ref(1, 'm3'), former.id).joined).toBeUndefined();
    expect(attempts.joinAttempt(site.state, ref(1, 'm3'), closeIn(G2, 5).id).joined).toBeDefined();
  });

  test('when a move planned before the first one is opened late, then it is refused', () => {
    site.open(1);
    site.commit(ref(1));
    expect(codeOf(() => site.open(1, { move: 'm2', from: G2, to: G1, epoch: 1 }))).toBe('EPOCH_MISMATCH');
  });
});

test('given an attempt that was aborted here, when a splitter claims its commit, then the verdict stays', () => {
  site.open(1);
  const { contents } = attempts.resolveAttempt(site.state, ref(1), 'test', 0);
  const attempt = { ...ref(1), ticket: contents?.ticket ?? 0 };
  site.claim(V1, { session: 2, ticket: attempt.ticket, decided: { attempt, verdict: 'COMMITTED' } });
  expect(site.state.attempt(ref(1))?.state).toBe('ABORTED');
});
