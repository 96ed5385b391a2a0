// How a replica site judges a splitter's claim when a volume is attached. Of epoch, owner and
// ticket, the highest that either end has stored counts.
import { beforeEach, describe, expect, test } from 'vitest';
import { lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { attach, hear, type Hearing } from '../../simulator/replica-site/core/attach.js';
import { beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import { momentAt } from '../support/moment.js';
import { claimOf, LINEAGE, lifeOf } from '../support/identities.js';
import { codeOf, cut, G1, G2, LEASE_MS, ref, SIZE_BYTES, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const OTHER_LINEAGE = lineageIdSchema.parse('a'.repeat(32));
let site: SiteUnderTest;

beforeEach(() => {
  site = new SiteUnderTest();
  site.attach();
  site.writes(1, 10);
});

function heard(claim: Partial<Parameters<typeof claimOf>[0]>): Hearing {
  const { group, epoch } = site.state.volume(V1);
  return hear(
    site.state,
    V1,
    claimOf({ session: 1, epoch, sizeBytes: SIZE_BYTES, ...claim }, claim.group ?? group),
    momentAt(0),
  );
}

const close = (volumes = [V1], n = 10, fencedBy?: ReturnType<typeof ref>) => {
  const fenced = fencedBy === undefined ? {} : { fencedBy };
  const cuts = volumes.map((volume) => ({ ...cut(n, volume), ...fenced }));
  return attempts.closeGroupPoint(site.state, { group: G1, kind: 'demand', atMs: 100, cuts, leftOut: [] }, momentAt(0));
};

describe('the history', () => {
  test.each([
    ['as far as confirmed', { lineage: LINEAGE, position: 10 }, 'newSession'],
    ['further than confirmed', { lineage: LINEAGE, position: 3 }, 'newSession'],
    ['where nothing was confirmed: marks tell', { lineage: OTHER_LINEAGE, position: 0 }, 'newSession'],
    ['less than confirmed', { lineage: LINEAGE, position: 11 }, 'fork'],
    ['another one', { lineage: OTHER_LINEAGE, position: 5 }, 'fork'],
  ])('%s', (_what, confirmed, kind) => {
    expect(heard({ session: 2, confirmed }).kind).toBe(kind);
  });

  test('is forked where another life sent the record that was confirmed', () => {
    expect(site.claim(V1, { session: 2 })).toBe('after 0');
    site.writes(1, 4, V1, 2);
    const confirmed = (position: number, life: number) => ({ lineage: LINEAGE, position, life: lifeOf(life) });
    const heardOf = (position: number, life: number) => heard({ session: 3, confirmed: confirmed(position, life) });
    for (const [position, life] of [
      [1, 1],
      [10, 1],
      [11, 2],
      [14, 2],
    ] as const)
      expect(heardOf(position, life).kind).toBe('newSession');
    for (const [position, life] of [
      [10, 2],
      [11, 1],
      [14, 3],
    ] as const)
      expect(heardOf(position, life)).toMatchObject({
        kind: 'fork',
        reason: expect.stringContaining('another life') as string,
      });
  });

  test('lists only lives that sent a record, and of those the newest 64', () => {
    for (let session = 2; session <= 100; session += 1) site.claim(V1, { session });
    expect(site.state.volume(V1).senders).toEqual([
      { base: 0, life: lifeOf(1) },
      { base: 10, life: lifeOf(100) },
    ]);
    for (let session = 101; session <= 200; session += 1) {
      site.claim(V1, { session });
      site.writes(1, 1, V1, session);
    }
    const senders = site.state.volume(V1).senders ?? [];
    expect([senders.length, senders.at(-1)?.life]).toEqual([64, lifeOf(200)]);
    expect(heard({ session: 201, confirmed: { lineage: LINEAGE, position: 5, life: lifeOf(1) } }).kind).toBe('fork');
  });

  test('is forked where a point names more than there is', () => {
    close();
    const { records } = site.lineages;
    records.set(V1, (records.get(V1) ?? []).slice(0, 4));
    // As after a start: what points of earlier lives name is known.
    site.restart();
    expect(heard({ session: 2, confirmed: { lineage: LINEAGE, position: 4 } })).toMatchObject({ kind: 'fork' });
  });

  test('a fork strikes what names lost positions, aborts the open attempt and tells where the new lineage begins', () => {
    site.attach(V2);
    site.writes(1, 10, V2);
    const early = close([V1, V2], 4);
    const late = close([V1, V2], 10);
    site.open(1);
    const { records } = site.lineages;
    records.set(V1, (records.get(V1) ?? []).slice(0, 6));
    expect(site.claim(V1, { session: 2, confirmed: { lineage: LINEAGE, position: 10 } })).toBe('LINEAGE_FORKED');
    const members = (id: typeof early.id) => site.state.point(id).point.members.map(({ volume }) => volume);
    expect(members(early.id)).toEqual([V1, V2]);
    expect(members(late.id)).toEqual([V2]);
    expect(site.state.point(late.id).point.leftOut).toContainEqual({ volume: V1, reason: 'lost' });
    expect(site.state.attempt(ref(1))).toMatchObject({ state: 'ABORTED' });
    const lineage = site.lineages.lineage(V1);
    expect(lineage).not.toBe(LINEAGE);
    expect(site.claim(V1, { session: 3, confirmed: { lineage, position: 6 } })).toBe('after 0');
    expect(site.state.volume(V1).lineage).toBe(lineage);
  });
});

test('a loss strikes what names lost positions, not what comes before and after, and ownership goes on', () => {
  const early = close([V1], 4);
  const lost = close([V1], 8);
  site.open(1);
  const commit = site.commit(ref(1));
  expect(commit.state).toBe('COMMITTED');
  site.state.holes.put('v1:3', {
    hole: { volume: V1, fromPosition: 3, sinceMs: 1, toPosition: 7, untilMs: 2, reason: 'x' },
  });
  site.state.holes.put('v1:8', {
    hole: { volume: V1, fromPosition: 8, sinceMs: 1, toPosition: 9, untilMs: 2, reason: 'x' },
  });
  site.lineages.lost.set(V1, { after: 6, upTo: 10 });
  site.lineages.fork(V1);
  const confirmed = { lineage: LINEAGE, position: 10 };
  expect(site.claim(V1, { session: 2, confirmed })).toBe('LINEAGE_FORKED');
  const members = (id: typeof early.id) => site.state.point(id).point.members;
  expect(members(early.id)).toHaveLength(1);
  expect(members(lost.id)).toEqual([]);
  expect(site.state.point(lost.id).point.leftOut).toContainEqual({ volume: V1, reason: 'lost' });
  expect(
    site.state.ownersOf(V1).map(({ group, fromPosition, toPosition }) => [group, fromPosition, toPosition]),
  ).toEqual([
    [G1, 0, 6],
    [G2, 6, undefined],
  ]);
  expect(site.state.holesOf(V1)).toEqual([{ volume: V1, fromPosition: 3, sinceMs: 1, reason: 'x' }]);
  expect(site.state.namedPosition(V1)).toBeLessThanOrEqual(6);
  const lineage = site.lineages.lineage(V1);
  expect(site.claim(V1, { session: 3, confirmed: { lineage, position: 10 } })).toBe('after 0');
  site.writes(1, 2, V1, 3);
  const after = close([V1], 10);
  expect(after.members).toEqual([]);
});

describe('the disk', () => {
  test('another one is refused and changes nothing, until a person says that it takes the place', () => {
    const source = sourceIdSchema.parse('b'.repeat(32));
    const before = site.state.volume(V1);
    expect(site.claim(V1, { session: 2, source })).toBe('FOREIGN_SOURCE');
    expect(site.state.volume(V1)).toEqual(before);
    expect(site.claim(V1, { session: 2, source, replaces: true })).toBe('after 0');
    expect(site.state.volume(V1).source).toBe(source);
  });
});

describe('lives', () => {
  test('two of one session number are told apart: the later one is told which number is free', () => {
    expect(heard({ session: 1, life: lifeOf(77) })).toMatchObject({ code: 'STALE_SESSION', advice: { sessionMin: 2 } });
    expect(heard({ session: 1 })).toEqual({ kind: 'sameSession' });
    expect(site.claim(V1, { session: 2, life: lifeOf(77) })).toBe('after 0');
  });
});

describe('a short initialization without its end', () => {
  const told = (claim: { readonly session: number; readonly over?: number }) =>
    attach(site.state, V1, claimOf({ epoch: 1, sizeBytes: SIZE_BYTES, ...claim })).initializing;

  test('is told at each attachment, until its end is there', () => {
    expect(told({ session: 2, over: 0 })).toBeUndefined();
    beginHole(site.state, V1, { fromPosition: 11, sinceMs: 1, reason: 'backlog full' });
    expect([told({ session: 2, over: 0 }), told({ session: 3, over: 0 })]).toEqual([true, true]);
    endHole(site.state, V1, 12, 2);
    expect(told({ session: 4, over: 0 })).toBeUndefined();
  });

  test('is not told to a splitter of an earlier version, which refuses what it does not know', () => {
    beginHole(site.state, V1, { fromPosition: 11, sinceMs: 1, reason: 'backlog full' });
    expect(told({ session: 2 })).toBeUndefined();
  });
});

describe('ownership', () => {
  test('a later epoch of the splitter is taken over, with its group; an earlier one is told who owns the volume', () => {
    expect(site.claim(V1, { session: 2, epoch: 4, group: G2 })).toBe('after 0');
    expect(site.state.volume(V1)).toMatchObject({ epoch: 4, group: G2 });
    expect(site.state.ownersOf(V1).map(({ group, epoch }) => [group, epoch])).toEqual([
      [G1, 1],
      [G2, 4],
    ]);
    expect(heard({ session: 3, epoch: 3, group: G1 })).toMatchObject({
      code: 'EPOCH_MISMATCH',
      advice: { owner: { group: G2, appliance: 'a1', epoch: 4 } },
    });
  });

  test('at one epoch the site knows better, unless it has heard no splitter yet', () => {
    expect(heard({ session: 2, group: G2 })).toMatchObject({ code: 'NOT_OWNER' });
    expect(site.claim(V2, { session: 1, group: G2 })).toBe('after 0');
    expect(site.state.volume(V2).group).toBe(G2);
  });

  test('tickets go on above the highest that the splitter has seen', () => {
    site.claim(V1, { session: 2, ticket: 41 });
    expect(site.open(1).contents?.ticket).toBe(42);
  });

  test('a commit that the splitter learned is made again as it was sealed', () => {
    site.open(1);
    attempts.sealAttempt(site.state, ref(1), [cut(10)], [], 0);
    attempts.bookmarkAttempt(site.state, ref(1));
    const decided = { attempt: { ...ref(1), ticket: 1 }, verdict: 'COMMITTED' as const };
    expect(site.claim(V1, { session: 2, epoch: 2, group: G2, ticket: 1, decided })).toBe('after 0');
    const record = site.state.attempt(ref(1));
    expect(record).toMatchObject({ state: 'COMMITTED', left: { bookmarked: true } });
    expect(site.state.volume(V1)).toMatchObject({ group: G2, epoch: 2, sealed: false });
  });

  test('a commit that is not made again as it was sealed has left the points since its fence, too', () => {
    site.open(1);
    const { id } = close([V1], 12, ref(1));
    expect(site.state.point(id).point.members).toMatchObject([{ volume: V1, provisional: ref(1) }]);
    const decided = { attempt: { ...ref(1), ticket: 1 }, verdict: 'COMMITTED' as const };
    expect(site.claim(V1, { session: 2, epoch: 2, group: G2, ticket: 1, decided })).toBe('after 0');
    const { members, leftOut } = site.state.point(id).point;
    expect([members, leftOut.at(-1)]).toEqual([[], { volume: V1, reason: 'moved' }]);
  });

  test('a commit that only the splitter remembers keeps its verdict, and nobody can join it', () => {
    const decided = { attempt: { ...ref(7), ticket: 9 }, verdict: 'COMMITTED' as const };
    site.claim(V1, { session: 2, epoch: 2, group: G2, ticket: 9, decided });
    expect(attempts.resolveAttempt(site.state, ref(7), 'late', 0).state).toBe('COMMITTED');
    expect(codeOf(() => attempts.joinAttempt(site.state, ref(7), close([V2], 0).id))).toBe('STALE_ATTEMPT');
  });

  test.each([
    ['its seal', () => void attempts.sealAttempt(site.state, ref(1), [cut(10)], [], 0)],
    ['a point since its fence', () => void close([V1], 12, ref(1))],
  ])(
    'an attempt whose fence the splitter has lost is aborted at once: the site knows the fence by %s',
    (_by, fence) => {
      const ticket = site.open(1).contents?.ticket ?? 0;
      heard({ session: 2, ticket: ticket - 1 });
      expect(site.state.attempt(ref(1))?.state).toBe('OPEN');
      fence();
      heard({ session: 2, ticket });
      expect(site.state.attempt(ref(1))?.state).toBe('OPEN');
      heard({ session: 2, ticket: ticket - 1 });
      expect(site.state.attempt(ref(1))).toMatchObject({
        state: 'ABORTED',
        reason: expect.stringContaining('has lost its fence') as string,
      });
    },
  );

  test('an attempt that sealed the volume and whose lease ran out is aborted as the volume is attached anew', () => {
    const ticket = site.open(1).contents?.ticket ?? 0;
    attempts.sealAttempt(site.state, ref(1), [cut(10)], [], 0);
    const { epoch, group } = site.state.volume(V1);
    const claim = claimOf({ session: 2, epoch, sizeBytes: SIZE_BYTES, ticket }, group);
    hear(site.state, V1, claim, momentAt(LEASE_MS - 1));
    expect(site.state.volume(V1).sealed).toBe(true);
    hear(site.state, V1, claim, momentAt(LEASE_MS));
    expect(site.state.volume(V1).sealed).toBe(false);
  });
});

test('no attempt is opened on a volume whose splitter was not heard since the start of the site', () => {
  site.restart();
  expect(codeOf(() => site.open(1))).toBe('NOT_SYNCED');
  site.attach(V1, 2);
  expect(site.open(1).state).toBe('OPEN');
});
