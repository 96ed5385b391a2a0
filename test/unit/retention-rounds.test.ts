// A round of retention that takes long: what is named meanwhile stays openable.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Cut } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import type { PointId } from '../../contracts/ids.js';
import {
  adoptAttempt,
  bookmarkAttempt,
  closeGroupPoint,
  openAttempt,
  resolveAttempt,
  sealAttempt,
} from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { attach } from '../../simulator/replica-site/core/attach.js';
import { admit, beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { RetentionRounds, type RetentionRoundsOptions } from '../../simulator/replica-site/retention-rounds.js';
import { HistorySite } from '../property/history-site.js';
import { claimOf } from '../support/identities.js';
import { ESTATE, G1, G2, ref, S1, SIZE_BYTES, V1, V2 } from './site-core-fixture.js';
import { momentAt } from '../support/moment.js';

const SETTLED_AFTER_MS = 45_000;
const START_MS = Date.UTC(2026, 0, 5);
/** A point's cut may wait so long for its writes. */
const WAITED_MS = 30_000;
const HOUR_MS = 3_600_000;

async function newSite(): Promise<HistorySite> {
  const site = new HistorySite([V1, V2], SIZE_BYTES, START_MS);
  await site.start();
  site.change((state, { wallMs }) => followEstate(state, ESTATE, wallMs));
  for (const volume of [V1, V2])
    site.change((state) => attach(state, volume, claimOf({ session: 1, epoch: 1, sizeBytes: SIZE_BYTES })));
  return site;
}

/** Rounds of a site without open images. @param rules what the rounds see of the site */
function roundsOf(
  site: HistorySite,
  journals: RetentionRoundsOptions['journals'],
  rules: RetentionRoundsOptions['site'] = site,
): RetentionRounds {
  return new RetentionRounds({
    site: rules,
    journals,
    inUse: () => new Set(),
    settledAfterMs: SETTLED_AFTER_MS,
    steadyMs: () => site.nowMs,
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
}

/**
 * The guest writes the same block again, so that every state but the newest is in the UNDO only.
 */
async function write(site: HistorySite, n: number, volumes = [V1, V2]): Promise<void> {
  for (const volume of volumes) {
    const head = { session: 1, n, epoch: 1 };
    expect(admit(site.state, volume, head).kind).toBe('append');
    const journal = site.journal(volume);
    journal.append([{ ...head, kind: 'write', timeMs: site.nowMs, offset: 0, data: Buffer.alloc(4096, n) }]);
    await journal.whenApplied(n);
  }
}

/** The journal, with something that happens while it lets go of UNDO, or counts it. */
function slowed(
  journal: VolumeJournal,
  meanwhile: () => void,
  call: 'retain' | 'undoBytesAfter' = 'retain',
): VolumeJournal {
  return new Proxy(journal, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        if (key === call) meanwhile();
        return Reflect.apply(value, target, args);
      };
    },
  });
}

test('a point that is closed while a round is under way, from a cut that waited, can be opened after it', async () => {
  const site = await newSite();
  let closed = 0;
  let duringRetain = (): void => {};
  const rounds = roundsOf(
    site,
    new Map([
      [V1, slowed(site.journal(V1), () => duringRetain())],
      [V2, site.journal(V2)],
    ]),
  );
  await write(site, 1);
  await rounds.run();
  site.nowMs += SETTLED_AFTER_MS;
  for (const n of [2, 3]) await write(site, n);
  await rounds.run();
  site.nowMs += WAITED_MS;

  // The second state was cut when it was the newest, and its point is closed now; then the round
  // goes on for long.
  duringRetain = () => {
    if (closed > 0) return;
    const cuts = [V1, V2].map((volume) => ({ volume, session: 1, n: 2 }));
    const point = { group: G1, kind: 'periodic', atMs: START_MS, cuts, leftOut: [] } as const;
    closed = site.change((state, now) => closeGroupPoint(state, point, now)).members.length;
    site.nowMs += WAITED_MS;
  };
  await rounds.run();
  await nextTurn();

  expect(closed).toBe(2);
  const image = await site.journal(V2).openImage(2);
  expect([...(await image.read(0, 1))]).toEqual([2]);
  image.close();
  await site.stop();
});

describe('given a move out of a group whose fence was raised long ago', () => {
  const attempt = ref(1);
  let site: HistorySite;
  let duringRound = (): void => {};
  let rounds: RetentionRounds;

  beforeEach(async () => {
    site = await newSite();
    duringRound = () => {};
    rounds = roundsOf(
      site,
      new Map([
        [V1, slowed(site.journal(V1), () => duringRound(), 'undoBytesAfter')],
        [V2, site.journal(V2)],
      ]),
    );
    for (const n of [1, 2]) await write(site, n);
    const volumes = [{ volume: V1, splitter: S1, epoch: 1 }];
    const terms = { leaseMs: HOUR_MS, deadlineAfterMs: HOUR_MS };
    site.change((state, now) => openAttempt(state, { attempt, volumes, from: G1, to: G2, ...terms }, now));
    // The cut is here. The other member goes on.
    for (const n of [3, 4]) await write(site, n, [V2]);
    await rounds.run();
    site.nowMs += 2 * SETTLED_AFTER_MS;
  });
  afterEach(() => site.stop());

  function seal(): void {
    const cutAt = (volume: typeof V1): Cut => ({ volume, session: 1, n: 2 });
    site.change((state, now) => sealAttempt(state, attempt, [cutAt(V1)], [cutAt(V2)], START_MS, { now }));
  }

  async function contentAtCut(): Promise<number[]> {
    const image = await site.journal(V2).openImage(2);
    const content = [...(await image.read(0, 1))];
    image.close();
    return content;
  }

  test('when a round goes over it, then its snapshot can still be sealed and opened', async () => {
    await rounds.run();
    seal();
    expect(await contentAtCut()).toEqual([2]);
  });

  test('when it commits in the middle of a round, then its snapshot can be opened after that round', async () => {
    duringRound = () => {
      duringRound = () => {};
      seal();
      site.change((state) => bookmarkAttempt(state, attempt));
      site.change((state, now) => adoptAttempt(state, attempt, now));
    };
    await rounds.run();
    expect(site.state.volume(V1).group).toBe(G2);
    expect(await contentAtCut()).toEqual([2]);
  });

  test('when it was aborted, then the next round lets go of what only it would have needed', async () => {
    site.change((state) => resolveAttempt(state, attempt, 'test', START_MS));
    await rounds.run();
    await expect(contentAtCut()).rejects.toMatchObject({ code: 'TRIMMED' });
  });
});

test('a round whose changes can not be stored lets go of UNDO all the same: that makes room', async () => {
  const site = await newSite();
  const full = {
    get state() {
      return site.state;
    },
    get now() {
      return momentAt(site.nowMs);
    },
    change: (): never => {
      throw new MoverError('STORAGE_FULL', 'no room');
    },
  };
  const rounds = roundsOf(site, new Map([[V1, site.journal(V1)]]), full);
  for (const n of [1, 2, 3]) await write(site, n);
  await rounds.run();
  site.nowMs += SETTLED_AFTER_MS;
  await rounds.run();
  expect(site.journal(V1).trimPosition).toBe(3);
  await site.stop();
});

describe('given points of a group that keep UNDO', () => {
  let site: HistorySite;
  let rounds: RetentionRounds;

  beforeEach(async () => {
    site = await newSite();
    await write(site, 1);
    rounds = roundsOf(site, site.journals);
    await rounds.run();
    site.nowMs += SETTLED_AFTER_MS;
  });
  afterEach(() => site.stop());

  test('when a full journal has dropped a point, then nothing more goes before its UNDO is consolidated', async () => {
    for (const n of [1, 2, 3, 4, 5, 6]) {
      if (n > 1) await write(site, n);
      const cuts = [V1, V2].map((volume) => ({ volume, session: 1, n }));
      const point = { group: G1, kind: 'periodic', atMs: site.nowMs, cuts, leftOut: [] } as const;
      // The first one can't go. UNDO of what is dropped behind it is charged to it until it is
      // consolidated.
      const named = n === 1 ? { bookmark: 'kept', keep: 'forever' as const } : {};
      site.change((state, now) => closeGroupPoint(state, { ...point, ...named }, now));
    }
    await rounds.run();
    const { bytes } = site.state.group(G1).journal;
    expect(bytes).toBeGreaterThan(0);
    const journalBytesMax = bytes - 1;
    site.change((state) => {
      const group = state.group(G1);
      return state.groups.put(G1, { ...group, retention: { ...group.retention, journalBytesMax } });
    });
    await rounds.run();
    expect(site.state.pointCount(G1)).toBe(5);
    site.nowMs += 1_000;
    await rounds.run();
    expect(site.state.pointCount(G1)).toBe(5);
  });

  test('when no point needs the time before a hole any more, then the hole is forgotten with its UNDO', async () => {
    const close = (n: number): PointId => {
      const cuts = [V1, V2].map((volume) => ({ volume, session: 1, n }));
      const point = { group: G1, kind: 'periodic', atMs: site.nowMs, cuts, leftOut: [] } as const;
      return site.change((state, now) => closeGroupPoint(state, point, now)).id;
    };
    const before = close(1);
    for (const n of [2, 3, 4]) await write(site, n);
    site.change((state) => beginHole(state, V1, { fromPosition: 2, sinceMs: site.nowMs, reason: 'overflow' }));
    site.change((state) => endHole(state, V1, 3, site.nowMs));
    close(4);
    await rounds.run();
    site.nowMs += SETTLED_AFTER_MS;
    await rounds.run();
    expect(site.journal(V1).trimPosition).toBe(1);
    expect(site.state.holesOf(V1)).toHaveLength(1);
    site.change((state) => state.points.delete(before));
    await rounds.run();
    expect(site.journal(V1).trimPosition).toBe(4);
    expect(site.state.holesOf(V1)).toEqual([]);
  });

  test('when the row of one of them can not be read, then no UNDO goes: nobody knows what it needs', async () => {
    for (const n of [2, 3]) await write(site, n);
    const unreadable = new Map([['points', new Map([['p000000007', 'It can not be read.']])]] as const);
    site.state = new SiteState({ ...EMPTY_SITE, unreadable }, site);
    site.change((state, { wallMs }) => followEstate(state, ESTATE, wallMs));
    for (const later of [1, 2]) {
      await rounds.run();
      site.nowMs += later * SETTLED_AFTER_MS;
    }
    await rounds.run();
    for (const volume of [V1, V2]) expect(site.journal(volume).trimPosition).toBe(0);
  });
});
