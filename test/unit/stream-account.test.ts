// Credit at both ends: what a sender may still send, and what the replica site still takes.
import { expect, test } from 'vitest';
import { regionRuns } from '../../simulator/replica-site/intake/region-runs.js';
import { VolumeCredit } from '../../simulator/replica-site/core/volume-credit.js';
import { CreditAccount } from '../../simulator/stream/credit.js';

test('given a grant, when it is spent, then no more may be sent, and a late smaller grant changes nothing', () => {
  const account = new CreditAccount();
  expect(account.isOpen).toBe(false);
  account.grant(100);
  account.grant(40);
  account.spend(99);
  expect(account.isOpen).toBe(true);
  account.spend(1);
  expect(account.isOpen).toBe(false);
  account.grant(101);
  expect(account.isOpen).toBe(true);
});

test('given a volume that is attached anew, then what the former attachment was granted is void', () => {
  const credit = new VolumeCredit<string>({ windowBytes: 100, unappliedBytesMax: 1_000 });
  const empty = { unwrittenBytes: 0, unappliedBytes: 0 };
  credit.add('former');
  expect(credit.next(empty)).toEqual({ to: 'former', grantedBytes: 100 });
  expect(credit.take('former', 10)).toBe(true);
  credit.add('newest');
  expect(credit.take('former', 10)).toBe(false);
  expect(credit.next(empty)).toEqual({ to: 'newest', grantedBytes: 100 });
  expect(credit.take('newest', 10)).toBe(true);
});

test('given credit that is used up while there is no room, then that is told once, and again after the next grant', () => {
  const credit = new VolumeCredit<string>({ windowBytes: 100, unappliedBytesMax: 1_000 });
  const [empty, full] = [0, 100].map((unwrittenBytes) => ({ unwrittenBytes, unappliedBytes: 0 }));
  if (empty === undefined || full === undefined) throw new Error('two holdings');
  credit.add('only');
  expect(credit.next(full), 'nothing was granted yet').toEqual({ to: 'only', grantedBytes: 0 });
  expect(credit.next(full)).toBeUndefined();
  expect(credit.next(empty)).toEqual({ to: 'only', grantedBytes: 100 });
  credit.take('only', 60);
  expect(credit.next(full), 'some of it is left').toBeUndefined();
  credit.take('only', 60);
  expect(credit.isSpent).toBe(true);
  expect(credit.next(full)).toEqual({ to: 'only', grantedBytes: 100 });
  expect(credit.next(full)).toBeUndefined();
  expect(credit.next({ unwrittenBytes: 0, unappliedBytes: 1_000 }), 'DO has no room either').toBeUndefined();
});

test('given changed bytes, then the runs name each region that they touch, the first and the last one too', () => {
  const region = 64 * 1024;
  expect(regionRuns([{ offset: 0, length: 1 }])).toEqual([[0, 1]]);
  expect(regionRuns([{ offset: region - 1, length: 2 }])).toEqual([[0, 2]]);
  expect(regionRuns([{ offset: region, length: region }])).toEqual([[1, 1]]);
  const scattered = [5, 3, 4, 9].map((at) => ({ offset: at * region, length: 10 }));
  expect(regionRuns(scattered)).toEqual([
    [3, 3],
    [9, 1],
  ]);
});
