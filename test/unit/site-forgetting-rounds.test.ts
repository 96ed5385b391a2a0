// Rounds of retention forget attempts that are over: after a while, or at once where they are too
// many. A site that is killed meanwhile opens none of them again.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { attemptName, type AttemptRef } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { answerVerdict, openAttempt } from '../../simulator/replica-site/core/attempts.js';
import { attach } from '../../simulator/replica-site/core/attach.js';
import { forgetAttempts } from '../../simulator/replica-site/core/forgetting.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import type { SiteState } from '../../simulator/replica-site/core/state.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { RetentionRounds, type RetentionRoundsOptions } from '../../simulator/replica-site/retention-rounds.js';
import { HistorySite } from '../property/history-site.js';
import { claimOf } from '../support/identities.js';
import { codeOf, ESTATE, G1, G2, ref, S1, SIZE_BYTES, V1, V2 } from './site-core-fixture.js';

const START_MS = Date.UTC(2026, 0, 5);
const DAY_MS = 24 * 3_600_000;
/** More attempts than one change of a round looks at, three times. */
const MANY = 600;
const IDLE_ATTEMPTS_MAX_DEFAULT = 10_000;

async function newSite(): Promise<HistorySite> {
  const site = new HistorySite([V1, V2], SIZE_BYTES, START_MS);
  await site.start();
  site.change((state, { wallMs }) => followEstate(state, ESTATE, wallMs));
  attachAll(site, 1);
  return site;
}

function attachAll(site: HistorySite, session: number): void {
  for (const volume of [V1, V2])
    site.change((state) => attach(state, volume, claimOf({ session, epoch: 1, sizeBytes: SIZE_BYTES })));
}

function roundsOf(site: HistorySite, options: Partial<RetentionRoundsOptions> = {}): RetentionRounds {
  return new RetentionRounds({
    site,
    journals: new Map(),
    inUse: () => new Set(),
    settledAfterMs: 0,
    steadyMs: () => site.nowMs,
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
    nextTurn: async () => undefined,
    ...options,
  });
}

/** Attempts that were resolved before they were opened: nothing needs them. Oldest first. */
function overAttempts(site: HistorySite, count: number, move = 'm'): AttemptRef[] {
  const made = Array.from({ length: count }, (_, i) => ref(1, `${move}${i}`));
  for (const attempt of made)
    site.change((state, now) =>
      answerVerdict(state, { attempt, floor: state.nextTicket, reason: 'test', onlyIfExpired: false }, now),
    );
  return made;
}

function known({ state }: HistorySite, attempts: readonly AttemptRef[]): AttemptRef[] {
  return attempts.filter((attempt) => state.attempt(attempt) !== undefined);
}

/** How a late `open` of the attempt ends, at the present epoch: only the floor is against it. */
function lateOpen(site: HistorySite, attempt: AttemptRef, floor: number): string {
  let opened = '';
  const code = codeOf(() => {
    opened = site.change(
      (state, now) =>
        openAttempt(
          state,
          {
            attempt,
            volumes: [{ volume: V1, splitter: S1, epoch: 1 }],
            from: G1,
            to: G2,
            leaseMs: 1_000,
            deadlineAfterMs: 1_000,
            floor,
          },
          now,
        ).state,
    );
  });
  return opened === '' ? code : opened;
}

test('a verdict that nothing needs is kept for a day from the round that found it so', async () => {
  const site = await newSite();
  const attempts = overAttempts(site, 1);
  const rounds = roundsOf(site);
  site.nowMs += 10 * DAY_MS;
  await rounds.run();
  site.nowMs += DAY_MS - 1;
  await rounds.run();
  expect(known(site, attempts)).toHaveLength(1);
  site.nowMs += 1;
  await rounds.run();
  expect(known(site, attempts)).toEqual([]);
});

test('the time since a verdict was last needed goes on over a restart of the site', async () => {
  const site = await newSite();
  const attempts = overAttempts(site, 1);
  await roundsOf(site).run();
  await site.start();
  site.nowMs += DAY_MS;
  await roundsOf(site).run();
  expect(known(site, attempts)).toEqual([]);
});

test('of too many verdicts that nothing needs the oldest are forgotten at once', async () => {
  const site = await newSite();
  const attempts = overAttempts(site, 8);
  await roundsOf(site, { idleAttemptsMax: 5 }).run();
  expect(known(site, attempts)).toEqual(attempts.slice(3));
});

test('by default as many are kept as memory has room for', async () => {
  const site = await newSite();
  const attempts = overAttempts(site, IDLE_ATTEMPTS_MAX_DEFAULT + 1);
  await roundsOf(site).run();
  expect(known(site, attempts)).toEqual(attempts.slice(1));
});

test('whichever is forgotten first, no older attempt can be opened', async () => {
  const site = await newSite();
  const [first = ref(1), second = ref(2)] = overAttempts(site, 2);
  // The newer one was found idle a round earlier.
  site.change((state, { ageMs }) => forgetAttempts(state, [attemptName(second)], ageMs, DAY_MS));
  site.nowMs += DAY_MS;
  await roundsOf(site).run();
  expect(known(site, [first, second])).toEqual([first]);
  expect(lateOpen(site, second, 2)).toBe('STALE_ATTEMPT');
  site.nowMs += DAY_MS;
  await roundsOf(site).run();
  expect(lateOpen(site, first, 1)).toBe('STALE_ATTEMPT');
  expect(lateOpen(site, second, 2)).toBe('STALE_ATTEMPT');
});

test('a round that the store refuses forgets nothing, and the next one does', async () => {
  const site = await newSite();
  const attempts = overAttempts(site, 1);
  let isFull = true;
  const rounds = roundsOf(site, {
    verdictKeptMs: 0,
    site: {
      get state() {
        return site.state;
      },
      get now() {
        return site.now;
      },
      change: <Result>(rule: (state: SiteState, now: SiteMoment) => Result): Result => {
        const result = rule(site.state, site.now);
        if (!isFull) return site.change(() => result);
        site.state.undo();
        throw new MoverError('STORAGE_FULL', 'no room');
      },
    },
  });
  await rounds.run();
  expect(known(site, attempts)).toEqual(attempts);
  expect(site.state.forgottenBelow).toBe(1);
  isFull = false;
  await rounds.run();
  expect(known(site, attempts)).toEqual([]);
});

test('a site that is killed between any two changes of a round opens no attempt again', async () => {
  let inTheMiddle = 0;
  for (let kill = 0, ended = false; !ended; kill += 1) {
    const site = await newSite();
    const attempts = overAttempts(site, MANY);
    let turns = 0;
    const rounds = roundsOf(site, {
      verdictKeptMs: 0,
      nextTurn: async () => {
        if (turns === kill) throw new Error('killed');
        turns += 1;
      },
    });
    ended = await rounds.run().then(
      () => true,
      () => false,
    );
    await site.start();
    attachAll(site, 2);
    const left = new Set(known(site, attempts));
    if (left.size > 0 && left.size < MANY) inTheMiddle += 1;
    for (const [i, attempt] of attempts.entries())
      expect(lateOpen(site, attempt, i + 1)).toBe(left.has(attempt) ? 'ABORTED' : 'STALE_ATTEMPT');
    expect(lateOpen(site, ref(1, 'new'), site.state.nextTicket)).toBe('OPEN');
  }
  expect(inTheMiddle).toBeGreaterThanOrEqual(2);
});
