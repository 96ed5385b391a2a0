// Attempts that a replica site has forgotten: their late calls over HTTP, after a restart, and with
// an older folder put back.
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PATIENCE_MS } from '../support/until.js';
import { attemptRef, G1, G2, refusal, type RunningSite, S1, SiteWorld, until, V1 } from './replica-site-fixture.js';
import { TestSplitter } from './test-splitter.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

const LEASE_MS = 60_000;
/** A site whose rounds are quick and that keeps no verdict which nobody needs. */
const FORGETS = { retentionEveryMs: 20, verdictKeptMs: 0 };

const opening = (floor: number | undefined, n = 1) => ({
  attempt: attemptRef(n),
  volumes: [{ volume: V1, splitter: S1, epoch: 1 }],
  from: G1,
  to: G2,
  leaseMs: LEASE_MS,
  deadlineAfterMs: 10 * LEASE_MS,
  ...(floor === undefined ? {} : { floor }),
});

/** Attaches, so that the site has heard the splitter in this life. */
async function attached(site: RunningSite, session: number, over?: number): Promise<void> {
  const splitter = await TestSplitter.connect(site.url, S1);
  expect(
    await splitter.attach(1, V1, { session, ...(over === undefined ? {} : { over, ticket: over }) }),
  ).toMatchObject({
    type: 'attached',
  });
}

async function whenForgotten(site: RunningSite): Promise<void> {
  const { move, n } = attemptRef(1);
  await until(async () => (await refusal(site.control.get({ move, n }))) === 'ATTEMPT_NOT_FOUND', 'forgotten');
}

test('a late call of a forgotten attempt is refused, after a restart too, and an older folder has its verdict', async () => {
  const before = await world.site();
  await attached(before, 1);
  const { floor } = await before.control.ticketFloor({});
  const { contents } = await before.control.open(opening(floor));
  const aborted = await before.control.resolve({ attempt: attemptRef(1), floor });
  expect(aborted.state).toBe('ABORTED');
  const ticket = contents?.ticket ?? 0;
  await before.stop();
  const folder = join(world.folder, 'site');
  await cp(folder, `${folder}.copy`, { recursive: true });

  const site = await world.site(FORGETS);
  await attached(site, 2, ticket);
  await whenForgotten(site);
  const lateCalls = async ({ control }: RunningSite): Promise<string[]> => [
    await refusal(control.open(opening(floor))),
    await refusal(control.resolve({ attempt: attemptRef(1), floor })),
    await refusal(control.resolve({ attempt: attemptRef(1), ticket })),
    await refusal(control.renew({ attempt: attemptRef(1), leaseMs: LEASE_MS })),
    await refusal(control.adopt({ attempt: attemptRef(1) })),
  ];
  const refused = ['STALE_ATTEMPT', 'STALE_ATTEMPT', 'STALE_ATTEMPT', 'ATTEMPT_NOT_FOUND', 'ATTEMPT_NOT_FOUND'];
  expect(await lateCalls(site)).toEqual(refused);
  await site.stop();

  const again = await world.site();
  await attached(again, 3);
  expect(await lateCalls(again)).toEqual(refused);
  const next = await again.control.ticketFloor({});
  expect(next.floor).toBe(ticket + 1);
  expect(await again.control.open(opening(next.floor, 2))).toMatchObject({ contents: { ticket: next.floor } });
  await again.stop();

  await rm(folder, { recursive: true });
  await cp(`${folder}.copy`, folder, { recursive: true });
  const older = await world.site();
  await attached(older, 4, ticket);
  expect(await older.control.open(opening(floor))).toEqual(aborted);
  await older.stop();
  const forgetful = await world.site(FORGETS);
  await attached(forgetful, 5, ticket);
  await whenForgotten(forgetful);
  expect(await lateCalls(forgetful)).toEqual(refused);
});

test('an attempt is kept until its splitter says with a cut that it is over', async () => {
  const site = await world.site(FORGETS);
  await attached(site, 1);
  const { floor } = await site.control.ticketFloor({});
  const { contents } = await site.control.open(opening(floor));
  await site.control.resolve({ attempt: attemptRef(1), floor });
  // An attempt that never had contents needs no splitter: a round has gone by once it is forgotten.
  const { move } = attemptRef(2);
  await site.control.resolve({ attempt: attemptRef(2), floor });
  await until(async () => (await refusal(site.control.get({ move, n: 2 }))) === 'ATTEMPT_NOT_FOUND', 'a round');
  expect(await site.control.get({ move, n: 1 })).toMatchObject({ state: 'ABORTED' });
  const cuts = [{ volume: V1, session: 1, n: 0, ...(contents === undefined ? {} : { over: contents.ticket }) }];
  await site.control.closePoint({ group: G1, kind: 'demand', atMs: 1, cuts, leftOut: [], waitMs: 0 });
  await whenForgotten(site);
});

test('calls of a worker of an earlier version have no floor: they work, and its attempts are kept', async () => {
  const site = await world.site(FORGETS);
  await attached(site, 1);
  const { contents } = await site.control.open(opening(undefined));
  const aborted = await site.control.resolve({ attempt: attemptRef(1) });
  await attached(site, 2, contents?.ticket);
  const { floor } = await site.control.ticketFloor({});
  const { move } = attemptRef(2);
  await site.control.resolve({ attempt: attemptRef(2), floor });
  await until(async () => (await refusal(site.control.get({ move, n: 2 }))) === 'ATTEMPT_NOT_FOUND', 'a round');
  expect(await site.control.open(opening(undefined))).toEqual(aborted);
});

/** Several changes of a round. */
const MANY = 1_500;
/** Attempts that are asked for, to see how far a round is. */
const ASKED = 25;
/** Calls under way at a time. */
const AT_ONCE = 50;

/** Asks about each of many attempts, some at a time. */
async function answersOf(attempts: number, ask: (n: number) => Promise<string>): Promise<string[]> {
  const answers: string[] = [];
  for (let from = 1; from <= attempts; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, attempts - from + 1) }, (_, i) => from + i);
    answers.push(...(await Promise.all(some.map(ask))));
  }
  return answers;
}

test('a site that is killed with kill -9 in the middle of forgetting opens none of the attempts again', async () => {
  const quiet = { VOLUME_MOVER_RETENTION_EVERY_S: '3600' };
  const forgets = { VOLUME_MOVER_RETENTION_EVERY_S: '1', VOLUME_MOVER_VERDICT_KEPT_S: '1' };
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (let life = 1; ; life += 1) {
    const attemptOf = (n: number) => attemptRef(1, `life-${life}-move-${n}`);
    const before = await world.siteProcess(quiet);
    await attached(before, 3 * life);
    const { floor } = await before.control.ticketFloor({});
    await answersOf(MANY, async (n) =>
      before.control.resolve({ attempt: attemptOf(n), floor }).then(({ state }) => state),
    );
    await before.kill();

    const site = await world.siteProcess(forgets);
    const isGone = async (n: number): Promise<string> => refusal(site.control.get(attemptOf(n)));
    const asked = Array.from({ length: ASKED }, (_, i) => 1 + Math.floor((i * MANY) / ASKED));
    await until(
      async () => (await Promise.all(asked.map(isGone))).includes('ATTEMPT_NOT_FOUND'),
      'the first of them are forgotten',
    );
    await site.kill();

    const after = await world.siteProcess(quiet);
    await attached(after, 3 * life + 1);
    const known = await answersOf(MANY, async (n) => refusal(after.control.get(attemptOf(n))));
    const late = await answersOf(MANY, async (n) => {
      const opened = after.control.open({ ...opening(floor), attempt: attemptOf(n) });
      const code = await refusal(opened);
      return code === 'not refused' ? (await opened).state : code;
    });
    expect(late).toEqual(known.map((code) => (code === 'not refused' ? 'ABORTED' : 'STALE_ATTEMPT')));
    const next = await after.control.ticketFloor({});
    expect(await after.control.open({ ...opening(next.floor), attempt: attemptRef(life, 'next') })).toMatchObject({
      state: 'OPEN',
    });
    await after.control.resolve({ attempt: attemptRef(life, 'next'), floor: next.floor });
    const forgotten = known.filter((code) => code === 'ATTEMPT_NOT_FOUND').length;
    if (forgotten > 0 && forgotten < MANY) break;
    expect(Date.now(), `no kill in the middle: ${forgotten} of ${MANY}`).toBeLessThan(deadlineMs);
    await after.kill();
  }
});
