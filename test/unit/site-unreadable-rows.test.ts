// A stored row of the replica site that can't be read leaves out what it describes: it is never
// taken for one that is not there.
import { beforeEach, expect, test } from 'vitest';
import { pointIdSchema } from '../../contracts/ids.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { siteVolume } from '../../simulator/replica-site/core/listings.js';
import { hear } from '../../simulator/replica-site/core/attach.js';
import { beginHole, endHole, admit } from '../../simulator/replica-site/core/records.js';
import { claimOf } from '../support/identities.js';
import { SiteState, type TableName } from '../../simulator/replica-site/core/state.js';
import { Site } from '../../simulator/replica-site/site.js';
import { storedRows } from '../../simulator/replica-site/stored-rows.js';
import type { RowChange, RowStore } from '../../simulator/store/row-store.js';
import {
  codeOf,
  cut,
  DEADLINE_MS,
  ESTATE,
  G1,
  G2,
  LEASE_MS,
  ref,
  S1,
  SIZE_BYTES,
  SiteUnderTest,
  V1,
  V2,
} from './site-core-fixture.js';
import { momentAt } from '../support/moment.js';
import { standingClock } from '../support/settable-clock.js';

const NOW = 5;
const P1 = pointIdSchema.parse('p000000001');
const BAD = { from: 'another version' };

class MemoryStore implements RowStore {
  readonly tables = new Map<string, Map<string, unknown>>();

  *rows(table: string): Generator<readonly [string, unknown]> {
    yield* this.tables.get(table) ?? [];
  }
  commit(changes: readonly RowChange[]): void {
    for (const { table, key, value } of changes) {
      const rows = this.tables.get(table) ?? new Map<string, unknown>();
      this.tables.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }
  async close(): Promise<void> {}
}

let store: MemoryStore;
let under: SiteUnderTest;
let site: Site;

/** A site with points, a hole of v1 from 1 to 2, and an open attempt on v1. */
beforeEach(() => {
  under = new SiteUnderTest();
  store = new MemoryStore();
  for (const volume of [V1, V2]) {
    under.attach(volume);
    under.writes(1, 3, volume);
  }
  beginHole(under.state, V1, { fromPosition: 1, sinceMs: 0, reason: 'backlog full' });
  endHole(under.state, V1, 2, 1);
  close(under.state);
  under.open(1);
  store.commit(under.state.changes());
});

function close(state: SiteState) {
  const cuts = [cut(3), cut(3, V2)];
  return attempts.closeGroupPoint(state, { group: G1, kind: 'demand', cuts, leftOut: [], atMs: 100 }, momentAt(NOW));
}

/** Starts again with a row that can't be read. @returns the sentence about it */
function restartWithBad(table: TableName, key: string): string {
  expect([...store.rows(table)].map(([known]) => known)).toContain(key);
  store.commit([{ table, key, value: BAD }]);
  const state = new SiteState(storedRows(store, ESTATE.groups), under.lineages);
  // Their splitters have attached them again.
  for (const volume of [V1, V2]) state.acquainted.add(volume);
  site = new Site(state, store, standingClock());
  site.change((rules) => followEstate(rules, ESTATE, NOW));
  return state.unreadable.join('\n');
}

const open =
  (move: string, volume = V1) =>
  () =>
    site.change((state) =>
      attempts.openAttempt(
        state,
        {
          attempt: ref(1, move),
          volumes: [{ volume, splitter: S1, epoch: 1 }],
          from: G1,
          to: G2,
          leaseMs: LEASE_MS,
          deadlineAfterMs: DEADLINE_MS,
        },
        momentAt(LEASE_MS * 2),
      ),
    );

test('a volume: neither made anew at epoch 1 nor written over; its records are refused, the others’ are not', () => {
  expect(restartWithBad('volumes', V1)).toContain('Row "v1" of table "volumes"');
  expect(codeOf(() => site.state.volume(V1))).toBe('VOLUME_UNUSABLE');
  expect(store.tables.get('volumes')?.get(V1)).toEqual(BAD);
  const claim = claimOf({ session: 2, epoch: 1, sizeBytes: SIZE_BYTES }, G1);
  expect(hear(site.state, V1, claim, momentAt(NOW))).toMatchObject({
    kind: 'refuse',
    code: 'VOLUME_UNUSABLE',
  });
  expect(admit(site.state, V1, { session: 1, n: 4, epoch: 1 })).toMatchObject({ code: 'VOLUME_UNUSABLE' });
  expect(hear(site.state, V2, claim, momentAt(NOW))).toEqual({ kind: 'newSession' });
  expect(close(site.state).members.map(({ volume }) => volume)).toEqual([V2]);
});

test('an attempt: it has no verdict, its volume is moved by nobody and goes on replicating, others move', () => {
  expect(restartWithBad('attempts', 'm1#1')).toContain('verdict is not known');
  expect(codeOf(() => site.change((state) => attempts.resolveAttempt(state, ref(1), 'why', NOW)))).toBe('CORRUPT');
  expect(codeOf(open('m2'))).toBe('CORRUPT');
  expect(site.state.volume(V1).openAttempt).toEqual(ref(1));
  expect(store.tables.get('attempts')?.get('m1#1')).toEqual(BAD);
  expect(admit(site.state, V1, { session: 1, n: 4, epoch: 1 })).toMatchObject({ kind: 'append' });
  const shown = siteVolume(site.state, site.state.volume(V1), momentAt(NOW));
  expect(shown.openAttempt).toEqual(ref(1));
  expect(shown).not.toHaveProperty('openAttemptLeaseMs');
  // Its room is kept: the other group has two.
  expect(attempts.reservedIn(site.state, G2, LEASE_MS * 2)).toBe(1);
  expect(open('m2', V2)()).toMatchObject({ state: 'OPEN' });
});

test('a point: it is not served, and is there to be read by whoever can', () => {
  expect(restartWithBad('points', P1)).toContain('the point is not served');
  expect(codeOf(() => site.state.point(P1))).toBe('CORRUPT');
  expect(close(site.state).id).not.toBe(P1);
  expect(store.tables.get('points')?.get(P1)).toEqual(BAD);
});

test('a hole: its end is not known, so from its beginning on no point has the volume', () => {
  restartWithBad('holes', `${V1}:1`);
  expect(site.state.inHole(V1, 0)).toBe(false);
  expect(site.state.inHole(V1, 3)).toBe(true);
  expect(site.state.inHole(V2, 3)).toBe(false);
  expect(close(site.state).members.map(({ volume }) => volume)).toEqual([V2]);
});

test('a group that the estate file has is made anew, and goes on after its newest point', () => {
  const { atMs, order } = under.state.point(P1).point;
  expect(restartWithBad('groups', G1)).toBe('');
  expect(site.state.group(G1)).toMatchObject({ appliance: 'a1', lastPointAtMs: atMs, lastOrder: order });
  expect(close(site.state).atMs).toBeGreaterThan(atMs);
});

test('a group that the estate file lacks is left out, with its volumes', () => {
  store.commit([
    { table: 'groups', key: 'old', value: BAD },
    { table: 'volumes', key: V2, value: { ...(store.tables.get('volumes')?.get(V2) as object), group: 'old' } },
  ]);
  expect(restartWithBad('groups', 'old')).toContain('Volume "v2" is left out with its group "old"');
  expect(codeOf(() => site.state.volume(V2))).toBe('VOLUME_UNUSABLE');
  expect(site.state.volume(V1).group).toBe(G1);
});

test('a counter, a move: nothing that needs them is accepted, and nothing is half done', () => {
  restartWithBad('counters', 'tickets');
  expect(codeOf(open('m2', V2))).toBe('CORRUPT');
  expect(site.state.volume(V2).openAttempt).toBeUndefined();
  expect(site.state.changes()).toEqual([]);
  expect(close(site.state).members).toHaveLength(2);
  restartWithBad('moves', 'm1');
  expect(codeOf(() => site.change((state) => attempts.resolveAttempt(state, ref(7), 'why', NOW)))).toBe('CORRUPT');
  expect(site.state.attempt(ref(7))).toBeUndefined();
});

test('the clock of ages: points are closed, and it goes on from the newest of them', () => {
  store.commit([{ table: 'counters', key: 'age', value: { next: 7 } }]);
  restartWithBad('counters', 'age');
  site.keepAge();
  expect(store.tables.get('counters')?.get('age')).toEqual(BAD);
  expect(site.now.ageMs).toBeGreaterThanOrEqual(under.state.point(P1).point.clock?.ageMs ?? Infinity);
  expect(close(site.state).members).toHaveLength(2);
});

test('an owner: the volume is not said to begin anew', () => {
  restartWithBad('owners', `${V1}:1`);
  expect(store.tables.get('owners')?.get(`${V1}:1`)).toEqual(BAD);
  expect(site.state.volume(V1).epoch).toBe(1);
});
