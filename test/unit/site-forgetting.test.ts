// Attempts that are over and that nobody needs are forgotten; a late call of one is refused all the
// same.
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRef } from '../../contracts/attempt.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { forgetAttempts } from '../../simulator/replica-site/core/forgetting.js';
import { forgetBefore } from '../../simulator/replica-site/core/history-end.js';
import { addVolume, retireVolume } from '../../simulator/replica-site/core/lifecycle.js';
import { SiteState } from '../../simulator/replica-site/core/state.js';
import { momentAt } from '../support/moment.js';
import { codeOf, G1, G2, ref, S1, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const KEPT_MS = 1_000;

let site: SiteUnderTest;
beforeEach(() => {
  site = new SiteUnderTest();
  site.attach();
  site.attach(V2);
});

/** Opens an attempt that was planned just now, or at an earlier floor. */
function open(n: number, { move = 'm1', volumes = [V1], floor = site.state.nextTicket } = {}) {
  const [first = V1] = volumes;
  const { group } = site.state.volume(first);
  return attempts.openAttempt(
    site.state,
    {
      attempt: ref(n, move),
      volumes: volumes.map((volume) => ({ volume, splitter: S1, epoch: site.state.volume(volume).epoch })),
      from: group,
      to: group === G1 ? G2 : G1,
      leaseMs: KEPT_MS,
      deadlineAfterMs: KEPT_MS,
      floor,
    },
    momentAt(0),
  );
}

function resolve(attempt: AttemptRef, known: { readonly floor?: number; readonly ticket?: number } = {}) {
  return attempts.answerVerdict(site.state, { attempt, reason: 'test', onlyIfExpired: false, ...known }, momentAt(0));
}

/** The volume's splitter says with a cut up to which ticket attempts are over. */
function acknowledge(over: number, volume = V1): void {
  const { session, n } = site.lineages.durable(volume);
  const cut = { volume, session: Math.max(1, session), n, over };
  const { group } = site.state.volume(volume);
  attempts.closeGroupPoint(site.state, { group, kind: 'periodic', atMs: 0, cuts: [cut], leftOut: [] }, momentAt(0));
}

function names(): string[] {
  return [...site.state.attempts.values()].map(({ record: { attempt } }) => `${attempt.move}#${attempt.n}`);
}

/**
 * Two rounds: the first finds what nothing needs, the second comes when that was kept long enough.
 */
function forget(): number {
  const round = (ageMs: number): number =>
    forgetAttempts(site.state, site.state.decidedAttempts(), ageMs, KEPT_MS).forgotten;
  return round(0) + round(KEPT_MS);
}

describe('given an attempt that was aborted', () => {
  let ticket: number;
  let floor: number;
  beforeEach(() => {
    floor = site.state.nextTicket;
    ticket = open(1).contents?.ticket ?? 0;
    resolve(ref(1), { floor });
  });

  test('when its splitter has not said that it knows, then it is kept', () => {
    acknowledge(ticket - 1);
    expect(forget()).toBe(0);
  });

  test('when its splitter says so with a cut, then it is forgotten, and so is its move', () => {
    acknowledge(ticket);
    expect(forget()).toBe(1);
    expect(site.state.attempts.size + site.state.moves.size).toBe(0);
  });

  test('when its splitter says so as it attaches, then it is forgotten', () => {
    site.claim(V1, { session: 2, ticket, over: ticket });
    expect(forget()).toBe(1);
  });

  test('when an older folder of the splitter was put back since it said so, then it is kept', () => {
    acknowledge(ticket);
    site.claim(V1, { session: 2, ticket, over: ticket - 1 });
    expect(forget()).toBe(0);
  });

  test('when a cut arrives that was on its way for long, then what the splitter said since counts', () => {
    acknowledge(ticket);
    acknowledge(ticket - 1);
    expect(forget()).toBe(1);
  });

  test('when nothing has needed it for less time than it is kept, then it is kept', () => {
    acknowledge(ticket);
    forgetAttempts(site.state, site.state.decidedAttempts(), 0, KEPT_MS);
    const look = forgetAttempts(site.state, site.state.decidedAttempts(), KEPT_MS - 1, KEPT_MS);
    expect(look).toEqual({ forgotten: 0, idle: [{ name: 'm1#1', ticket }] });
  });

  test('when the row of its volume can not be read, then it is kept: nobody knows what its splitter said', () => {
    acknowledge(ticket);
    site.restart({ table: 'volumes', key: V1 });
    expect(forget()).toBe(0);
  });

  test('when its volume is retired, then no splitter is waited for', () => {
    retireVolume(site.state, { volume: V1, dryRun: false }, momentAt(0));
    expect(forget()).toBe(1);
  });

  describe('and forgotten', () => {
    beforeEach(() => {
      acknowledge(ticket);
      forget();
      site.state.settle();
    });

    test.each([
      { call: 'open', code: 'STALE_ATTEMPT', run: () => open(1, { floor }) },
      { call: 'resolve', code: 'STALE_ATTEMPT', run: () => resolve(ref(1), { floor }) },
      { call: "a splitter's resolve", code: 'STALE_ATTEMPT', run: () => resolve(ref(1), { ticket }) },
      { call: 'renew', code: 'ATTEMPT_NOT_FOUND', run: () => attempts.renewAttempt(site.state, ref(1), 1, 0) },
      { call: 'seal', code: 'ATTEMPT_NOT_FOUND', run: () => attempts.sealAttempt(site.state, ref(1), [], [], 0) },
      { call: 'adopt', code: 'ATTEMPT_NOT_FOUND', run: () => attempts.adoptAttempt(site.state, ref(1), momentAt(0)) },
    ])('when its $call arrives late, then it is refused ($code) and changes nothing', ({ run, code }) => {
      expect(codeOf(run)).toBe(code);
      expect(site.state.changes()).toEqual([]);
    });

    test('when the site starts again, then its late calls are still refused', () => {
      const rows = {
        groups: [
          [G1, site.state.group(G1)],
          [G2, site.state.group(G2)],
        ],
        volumes: [[V1, site.state.volume(V1)]],
        counters: [
          ['tickets', { next: site.state.nextTicket }],
          ['forgotten', { next: ticket + 1 }],
        ],
        attempts: [],
        moves: [],
        points: [],
        holes: [],
        owners: [],
        processes: [],
      } as const;
      site.state = new SiteState(rows, site.lineages);
      site.attach(V1, 2);
      expect(codeOf(() => open(1, { floor }))).toBe('STALE_ATTEMPT');
      expect(open(1, { move: 'm2' }).contents?.ticket).toBe(ticket + 1);
    });

    test('when a splitter attaches that learned its verdict, then nothing is put in its place', () => {
      const decided = { attempt: { ...ref(1), ticket }, verdict: 'COMMITTED' as const };
      site.claim(V1, { session: 2, ticket, over: ticket, decided });
      expect(names()).toEqual([]);
    });

    test('when a new attempt was planned since, then it is opened', () => {
      expect(open(2).state).toBe('OPEN');
    });

    test('when an attempt was planned before and opens only now, then it is refused', () => {
      expect(codeOf(() => open(1, { move: 'm2', floor }))).toBe('STALE_ATTEMPT');
    });
  });
});

test('an attempt with two splitters is kept until both have said that they know', () => {
  const ticket = open(1, { volumes: [V1, V2] }).contents?.ticket ?? 0;
  resolve(ref(1));
  acknowledge(ticket, V1);
  expect(forget()).toBe(0);
  acknowledge(ticket, V2);
  expect(forget()).toBe(1);
});

test('an open attempt is kept, and its own `open` gets the same answer', () => {
  const floor = site.state.nextTicket;
  const opened = open(1, { floor });
  resolve(ref(7, 'm2'), { floor });
  open(1, { move: 'm3', volumes: [V2] });
  resolve(ref(1, 'm3'));
  acknowledge(99, V1);
  acknowledge(99, V2);
  expect(forget()).toBe(2);
  expect(open(1, { floor })).toBe(opened);
});

describe('given an attempt that was resolved before it was opened', () => {
  test('when it is forgotten, then it can still not be opened', () => {
    const floor = site.state.nextTicket;
    resolve(ref(1), { floor });
    expect(forget()).toBe(1);
    expect(codeOf(() => open(1, { floor }))).toBe('STALE_ATTEMPT');
  });

  test('when it was planned before an older folder was put back, then it can not be opened either', () => {
    resolve(ref(1), { floor: 50 });
    expect(forget()).toBe(1);
    expect(codeOf(() => open(1, { floor: 50 }))).toBe('STALE_ATTEMPT');
  });

  test('when the call that resolved it had no floor, then it is kept', () => {
    resolve(ref(1));
    expect(forget()).toBe(0);
    expect(codeOf(() => open(1))).toBe('not refused');
    expect(open(1).state).toBe('ABORTED');
  });
});

test('an attempt that was opened without a floor, by an earlier version, is never forgotten', () => {
  const ticket = site.open(1).contents?.ticket ?? 0;
  resolve(ref(1));
  acknowledge(ticket);
  expect(forget()).toBe(0);
  expect(site.open(1).state).toBe('ABORTED');
});

test('an attempt of an earlier version is opened without a floor, whatever was forgotten', () => {
  const ticket = open(1).contents?.ticket ?? 0;
  resolve(ref(1));
  acknowledge(ticket);
  forget();
  expect(site.open(2).state).toBe('OPEN');
});

describe('given a volume that was moved', () => {
  let ticket: number;
  beforeEach(() => {
    site.writes(1, 3);
    ticket = open(1).contents?.ticket ?? 0;
    site.commit(ref(1));
    acknowledge(ticket);
  });

  function moveOn(): void {
    site.writes(4, 6);
    open(1, { move: 'm2' });
    site.commit(ref(1, 'm2'));
    acknowledge(ticket + 1);
  }

  test('when it has moved on and its span can not be read, then the commit is known: the span may be there', () => {
    moveOn();
    site.restart({ table: 'owners', key: `${V1}:2` });
    expect(forget()).toBe(0);
  });

  test('when its span of ownership is the last, then the commit is known', () => {
    forgetBefore(site.state, V1, 1_000);
    expect(forget()).toBe(0);
  });

  test('when it has moved on, then the commit is known as long as its span', () => {
    moveOn();
    expect(forget()).toBe(0);
    forgetBefore(site.state, V1, 7);
    expect(forget()).toBe(1);
    expect(names()).toEqual(['m2#1']);
  });
});

test('of a move with several attempts the newest is known as long as one of them could open', () => {
  const floor = site.state.nextTicket;
  const first = open(1, { floor }).contents?.ticket ?? 0;
  resolve(ref(1));
  open(2);
  acknowledge(first);
  expect(forget()).toBe(1);
  expect(codeOf(() => open(1, { floor }))).toBe('STALE_ATTEMPT');
  // A worker of an earlier version gives no floor.
  expect(codeOf(() => site.open(1))).toBe('STALE_ATTEMPT');
  expect(names()).toEqual(['m1#2']);
});

test('an attempt that was planned before an older folder was put back gets no lower ticket than its floor', () => {
  expect(open(1, { floor: 50 }).contents?.ticket).toBe(50);
});

test('a volume that was forgotten and added anew starts without what its splitter said before', () => {
  acknowledge(9);
  site.state.volumes.delete(V1);
  addVolume(site.state, { volume: V1, splitter: S1, sizeMiB: 1, group: G1, dryRun: false }, momentAt(0));
  expect(site.state.volume(V1).over).toBeUndefined();
});

test('when it can not be read what was forgotten, then an unknown attempt is refused and volumes still attach', () => {
  const rows = {
    groups: [
      [G1, site.state.group(G1)],
      [G2, site.state.group(G2)],
    ],
    volumes: [[V1, site.state.volume(V1)]],
    counters: [],
    attempts: [],
    moves: [],
    points: [],
    holes: [],
    owners: [],
    processes: [],
    unreadable: new Map([['counters', new Map([['forgotten', 'not readable']])]] as const),
  } as const;
  site.state = new SiteState(rows, site.lineages);
  const decided = { attempt: { ...ref(1), ticket: 3 }, verdict: 'COMMITTED' as const };
  expect(site.claim(V1, { session: 2, ticket: 3, decided })).toBe('after 0');
  expect(codeOf(() => open(1, { floor: 9 }))).toBe('CORRUPT');
  expect(codeOf(() => resolve(ref(1), { floor: 9 }))).toBe('CORRUPT');
});
