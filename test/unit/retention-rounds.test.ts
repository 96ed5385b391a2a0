// A round of retention that takes long: what is named meanwhile stays openable.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { closeGroupPoint } from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { attach } from '../../simulator/replica-site/core/attach.js';
import { admit } from '../../simulator/replica-site/core/records.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { RetentionRounds } from '../../simulator/replica-site/retention-rounds.js';
import { HistorySite } from '../property/history-site.js';
import { claimOf } from '../support/identities.js';
import { ESTATE, G1, SIZE_BYTES, V1, V2 } from './site-core-fixture.js';
import { momentAt } from '../support/moment.js';

const SETTLED_AFTER_MS = 45_000;
const START_MS = Date.UTC(2026, 0, 5);
/** A point's cut may wait so long for its writes. */
const WAITED_MS = 30_000;

async function newSite(): Promise<HistorySite> {
  const site = new HistorySite([V1, V2], SIZE_BYTES, START_MS);
  await site.start();
  site.change((state, { wallMs }) => followEstate(state, ESTATE, wallMs));
  for (const volume of [V1, V2])
    site.change((state) => attach(state, volume, claimOf({ session: 1, epoch: 1, sizeBytes: SIZE_BYTES })));
  return site;
}

/**
 * The guest writes the same block again, so that every state but the newest is in the UNDO only.
 */
async function write(site: HistorySite, n: number): Promise<void> {
  for (const volume of [V1, V2]) {
    const head = { session: 1, n, epoch: 1 };
    expect(admit(site.state, volume, head).kind).toBe('append');
    const journal = site.journal(volume);
    journal.append([{ ...head, kind: 'write', timeMs: site.nowMs, offset: 0, data: Buffer.alloc(4096, n) }]);
    await journal.whenApplied(n);
  }
}

/** The journal, with something that happens while it lets go of UNDO. */
function slowed(journal: VolumeJournal, meanwhile: () => void): VolumeJournal {
  return new Proxy(journal, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        if (key === 'retain') meanwhile();
        return Reflect.apply(value, target, args);
      };
    },
  });
}

test('a point that is closed while a round is under way, from a cut that waited, can be opened after it', async () => {
  const site = await newSite();
  let closed = 0;
  let duringRetain = (): void => {};
  const rounds = new RetentionRounds({
    site,
    journals: new Map([
      [V1, slowed(site.journal(V1), () => duringRetain())],
      [V2, site.journal(V2)],
    ]),
    inUse: () => new Set(),
    settledAfterMs: SETTLED_AFTER_MS,
    steadyMs: () => site.nowMs,
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
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
  const rounds = new RetentionRounds({
    site: full,
    journals: new Map([[V1, site.journal(V1)]]),
    inUse: () => new Set(),
    settledAfterMs: SETTLED_AFTER_MS,
    steadyMs: () => site.nowMs,
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
  for (const n of [1, 2, 3]) await write(site, n);
  await rounds.run();
  site.nowMs += SETTLED_AFTER_MS;
  await rounds.run();
  expect(site.journal(V1).trimPosition).toBe(3);
  await site.stop();
});
