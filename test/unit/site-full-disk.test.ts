// The replica site's small parts on a disk that is full or fails: who is held off, what is tried
// again, and what health says.
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { EstateFollower } from '../../simulator/replica-site/estate-follower.js';
import { ROOM_BYTES_MIN } from '../../simulator/replica-site/intake/limits.js';
import { StallGate } from '../../simulator/replica-site/intake/stall-gate.js';
import { failureOfJournal } from '../../simulator/replica-site/journal-failure.js';
import { stalledBy } from '../../simulator/replica-site/journal/files/file-refusal.js';
import type { StalledPart } from '../../simulator/replica-site/journal/terms/types.js';
import { Site } from '../../simulator/replica-site/site.js';
import { storageNotes } from '../../simulator/replica-site/storage-notes.js';
import type { RowStore } from '../../simulator/store/row-store.js';
import { ESTATE, SiteUnderTest } from './site-core-fixture.js';
import { standingClock } from '../support/settable-clock.js';

const FULL = new MoverError('STORAGE_FULL', 'There is no room left to store a change in /data/volumes/v1/do.');
const FAILED = new MoverError('STORAGE_FAILED', 'EIO');
const MIB = 1024 * 1024;
const SINCE_MS = Date.UTC(2026, 0, 5);
const ONE = volumeIdSchema.parse('one');
const TWO = volumeIdSchema.parse('two');

afterEach(() => {
  vi.useRealTimers();
});

test('a volume whose journal takes nothing is tried again with growing pauses, and on a full disk only once there is room', () => {
  let nowMs = 0;
  let free: number | undefined = 0;
  const gate = new StallGate({ freeBytes: () => free, steadyMs: () => nowMs });
  gate.pass();
  gate.close(FULL);
  for (; nowMs < 60_000; nowMs += 50) expect(() => gate.pass()).toThrow(FULL);
  free = ROOM_BYTES_MIN - 1;
  nowMs += 10_000;
  expect(() => gate.pass()).toThrow(FULL);
  free = ROOM_BYTES_MIN;
  expect(() => gate.pass()).toThrow(FULL);
  nowMs += 5_000;
  gate.pass();

  const pauses: number[] = [];
  // What fails for another reason, or can't tell its room, is tried when the pause is over.
  for (const [error, bytes] of [
    [FAILED, 0],
    [FULL, undefined],
  ] as const) {
    const other = new StallGate({ freeBytes: () => bytes, steadyMs: () => nowMs });
    for (let i = 0; i < 6; i += 1) {
      other.close(error);
      const closedAtMs = nowMs;
      while (refuses(other)) nowMs += 10;
      pauses.push(nowMs - closedAtMs);
    }
  }
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 250, 500, 1_000, 2_000, 4_000, 5_000]);
});

function refuses(gate: StallGate): boolean {
  try {
    gate.pass();
    return false;
  } catch {
    return true;
  }
}

test('an estate file that can not be followed at the start is followed once there is room; until then health says so', () => {
  vi.useFakeTimers();
  const { state } = new SiteUnderTest();
  const missing = { ...ESTATE, groups: [...ESTATE.groups, { ...ESTATE.groups[0], id: 'new' }] } as typeof ESTATE;
  let isFull = true;
  const store: RowStore = {
    *rows() {},
    commit: () => {
      if (isFull) throw FULL;
    },
    close: async () => undefined,
  };
  state.settle();
  const site = new Site(state, store, standingClock());
  const follower = new EstateFollower(site, missing, pino({ level: 'silent' }));
  follower.follow();
  expect(state.groups.get('new')).toBeUndefined();
  expect(follower.notes).toEqual([expect.stringMatching(/still uses the old estate file/)]);
  expect(site.failure?.error).toBe(FULL);
  vi.advanceTimersByTime(60_000);
  expect(state.groups.get('new')).toBeUndefined();
  isFull = false;
  vi.advanceTimersByTime(5_000);
  expect(state.groups.get('new')).toBeDefined();
  expect(follower.notes).toEqual([]);
  expect(site.failure).toBeUndefined();
});

function refusal(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: refused, write '${path}'`), { code, syscall: 'write', path });
}

function journal(undistributedBytes: number, stalls: Partial<Record<StalledPart, Error>>) {
  return {
    undistributedBytes,
    stalls: new Map(
      (Object.entries(stalls) as [StalledPart, Error][]).map(([part, cause]) => [
        part,
        { error: stalledBy(cause), sinceMs: SINCE_MS },
      ]),
    ),
  };
}

const QUIET = {
  site: { failure: undefined },
  rowsFolder: '/data/rows',
  volumesFolder: '/data/volumes',
  journals: { open: new Map([[ONE, journal(5, {})]]), unusable: new Map<typeof ONE, unknown>() },
  freeBytes: (): number | undefined => 0,
};

test('health is quiet while nothing is held up, and else says where, since when, what is needed, what it means and what to do', () => {
  expect(storageNotes(QUIET)).toEqual([]);
  const full = refusal('ENOSPC', '/data/volumes/one/do-1.seg');
  const open = new Map([
    [ONE, journal(2 * MIB, { intake: full, distribution: full })],
    [TWO, journal(0, { retention: full })],
  ]);
  expect(storageNotes({ ...QUIET, journals: { ...QUIET.journals, open } })).toEqual([
    'The disk of /data/volumes is full since 2026-01-05T00:00:00.000Z: 0.0 MiB are free, at least 6.0 MiB are needed. ' +
      '1 volume (one): no new writes are accepted. The splitter keeps them as marks: nothing is lost, and new recovery points leave the volume out. ' +
      "1 volume (one): durable writes wait in the journal to be applied, and the newest positions can't be opened as images yet. " +
      '1 volume (two): history that no recovery point needs is not deleted, and takes room. ' +
      'Make room on that disk: the site then goes on by itself.',
  ]);
  const failing = new Map([[ONE, journal(0, { distribution: refusal('EIO', '/data/volumes/one/replica.img') })]]);
  expect(storageNotes({ ...QUIET, journals: { ...QUIET.journals, open: failing } })).toEqual([
    "/data/volumes/one/replica.img can't be used since 2026-01-05T00:00:00.000Z: EIO: refused, write '/data/volumes/one/replica.img'. " +
      "1 volume (one): durable writes wait in the journal to be applied, and the newest positions can't be opened as images yet. " +
      'Check that disk: the site tries again by itself.',
  ]);
});

test('health says that rows can not be stored until there is room again', () => {
  const site = { failure: { error: FULL, sinceMs: SINCE_MS } };
  expect(storageNotes({ ...QUIET, site }).join()).toMatch(
    /^The disk of \/data\/rows is full since 2026.*needed\. No recovery point is closed.*everything stored before is safe.*by itself\.$/,
  );
  expect(storageNotes({ ...QUIET, site, freeBytes: () => 2 * MIB })).toEqual([]);
});

test('a journal that can not be opened for its disk is told of with the path; a refused file is a retryable answer', () => {
  const cause = refusal('EIO', '/data/volumes/one/manifest');
  const unusable = new Map([[ONE, cause]]);
  expect(storageNotes({ ...QUIET, journals: { ...QUIET.journals, unusable } }).join()).toMatch(
    /^The journal of volume "one" can't be opened: .*\/data\/volumes\/one\/manifest.*nothing is lost\. Check that disk/,
  );
  expect(failureOfJournal(ONE, stalledBy(cause))).toMatchObject({ code: 'STORAGE_FAILED', retryable: true });
  expect(failureOfJournal(ONE, cause)).toMatchObject({ message: expect.stringContaining('/manifest') as unknown });
  const full = refusal('ENOSPC', '/data/volumes/one/manifest');
  expect(failureOfJournal(ONE, full)).toMatchObject({ code: 'STORAGE_FULL', retryable: true });
});
