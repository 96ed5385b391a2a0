// What a person reads about a point that was asked for by its time, when clocks were set: which
// points the time could mean as well, by how much it may be wrong, and how to choose one for sure.
import { describe, expect, test } from 'vitest';
import { isoTime } from '../../contracts/iso-time.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { doubtAbout } from '../../simulator/replica-site/core/point-doubt.js';
import { findPoint } from '../../simulator/replica-site/core/points.js';
import { momentAt } from '../support/moment.js';
import { G1, SiteUnderTest } from './site-core-fixture.js';

const NOON_MS = Date.UTC(2026, 0, 5, 12);
const MINUTE_MS = 60_000;

/** Points closed one after the other, so many minutes after noon by the clock of the site too. */
function closedAt(minutes: readonly number[], doubted: readonly number[] = []) {
  const site = new SiteUnderTest();
  const points = minutes.map((minute, i): RecoveryPoint => {
    const atMs = NOON_MS + minute * MINUTE_MS;
    const doubt = doubted.includes(i)
      ? { process: 'splitter s1', jumpMs: 90 * MINUTE_MS, sinceMs: NOON_MS, jumps: 1 }
      : undefined;
    return attempts.closeGroupPoint(
      site.state,
      { group: G1, kind: 'periodic', atMs, cuts: [], leftOut: [], doubt },
      momentAt(atMs),
    );
  });
  /** The sentence about the point that is found by the time, so many minutes after noon. */
  const about = (minute: number): string | undefined => {
    const atMs = NOON_MS + minute * MINUTE_MS;
    return doubtAbout(site.state, { group: G1 }, findPoint(site.state, { group: G1, atMs }), atMs);
  };
  return { points, about };
}

/** The points that a sentence names, from the first to the last. */
const namedIn = (sentence: string | undefined): string | undefined => / of (points? .*?) \(/.exec(sentence ?? '')?.[1];

describe('given points of a clock that was never set', () => {
  test('when one is found by its time, then nothing is said', () => {
    const { about } = closedAt([0, 1, 2, 3]);
    expect([0, 1, 2, 3, 9].map(about)).toEqual(Array.from({ length: 5 }));
  });
});

describe('given one point of a doubtful time', () => {
  test('when it is found, then the sentence has its name, its time, by how much, and what to type', () => {
    const { points, about } = closedAt([0, 1, 2, 3], [1]);
    const sentence = about(1);
    expect(sentence).toContain('The wall clock of splitter s1 jumped by +1 h 30 min');
    expect(sentence).toContain(
      `The times of point ${points[1]?.id} (${isoTime(NOON_MS + MINUTE_MS)}) may be wrong by that much. If ${points[1]?.id} is not the point that you want, choose one by its id: volume-mover points <group|volume> --list`,
    );
  });

  test('when a neighbour is found, then it is named too: it may be the one meant', () => {
    const { points, about } = closedAt([0, 1, 2, 3], [1]);
    expect(namedIn(about(0))).toBe(`point ${points[1]?.id}`);
    expect(namedIn(about(2))).toBe(`point ${points[1]?.id}`);
  });

  test('when a point further away is found, then nothing is said', () => {
    expect(closedAt([0, 1, 2, 3], [1]).about(3)).toBeUndefined();
    expect(closedAt([0, 1, 2, 3], [2]).about(0)).toBeUndefined();
  });
});

describe('given a run of points of doubtful times', () => {
  const { points, about } = closedAt([0, 1, 2, 3, 4, 5], [1, 2, 3]);

  test.each([0, 1, 2, 3, 4])(
    'when the point of minute %i is found, then the first and the last are named',
    (minute) => {
      expect(namedIn(about(minute))).toBe(`points ${points[1]?.id} to ${points[3]?.id}`);
      expect(about(minute)).toContain(`(${isoTime(NOON_MS + MINUTE_MS)} to ${isoTime(NOON_MS + 3 * MINUTE_MS)})`);
      expect(about(minute)).toContain(`If ${points[minute]?.id} is not`);
    },
  );

  test('when one further on is found, then nothing is said', () => {
    expect(about(5)).toBeUndefined();
  });
});

describe('given a clock that was set back, so that a time passed twice', () => {
  // The third point is the first after the jump: its time is in doubt.
  const { points, about } = closedAt([0, 20, 5, 6, 7]);

  test('when the later of two points is found, then the jump between them is told', () => {
    expect(namedIn(about(8))).toBe(`point ${points[2]?.id}`);
  });

  test('when the time is later than all that passed twice, then nothing is said', () => {
    expect(closedAt([0, 20, 5, 6, 7, 25, 26]).about(30)).toBeUndefined();
  });

  test('when the time is from before the jump, then nothing is said', () => {
    expect(closedAt([0, 1, 20, 5, 6]).about(0)).toBeUndefined();
  });
});
