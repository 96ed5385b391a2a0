// Wrong splitters: each has one fault planted, and fails at the clause that names it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import type { SplitterClause } from '../../conformance/splitter/clauses.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { SplitIndex } from '../../simulator/splitter/core/split-index.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { FrameConnection } from '../../simulator/stream/connection.js';
import { CreditAccount } from '../../simulator/stream/credit.js';
import type { StreamFrame } from '../../simulator/stream/connection.js';
import { KitWorld } from './splitter-fixture.js';

/** What never comes is waited for this long; what comes does so sooner on any machine. */
const PATIENCE_MS = 4_000;

const undo: (() => void)[] = [];

/** Replaces a property of a prototype until the end of the test. */
function define(target: object, key: string, descriptor: PropertyDescriptor): void {
  const before = Object.getOwnPropertyDescriptor(target, key);
  if (before === undefined) throw new Error(`there is no ${key} to replace`);
  Object.defineProperty(target, key, { ...descriptor, configurable: true });
  undo.push(() => Object.defineProperty(target, key, before));
}

type Method = (...args: never[]) => unknown;
type Wrong<T, M> = M extends (...args: infer A) => infer R
  ? (self: T, original: (...args: A) => R, ...args: A) => R
  : never;

/** Replaces a method of a class. */
function wrong<T extends object, K extends keyof T & string>(
  { prototype }: { readonly prototype: T },
  key: K,
  body: Wrong<T, T[K]>,
): void {
  const original: unknown = prototype[key];
  if (typeof original !== 'function') throw new Error(`${key} is no method`);
  define(prototype, key, {
    writable: true,
    value(this: T, ...args: unknown[]): unknown {
      const call = (...changed: unknown[]): unknown => Reflect.apply(original, this, changed);
      return Reflect.apply(body, undefined, [this, call, ...args]);
    },
  });
}

/** A check that lets calls with this code pass. */
const lenient =
  (code: string) =>
  (_: VolumeSplit, original: Method, ...args: unknown[]): void => {
    try {
      original(...(args as never[]));
    } catch (error) {
      if (!(error instanceof MoverError) || error.code !== code) throw error;
    }
  };

/** Sends other frames than it was told to. */
const sends = (change: (frame: StreamFrame) => StreamFrame | undefined): void =>
  wrong(FrameConnection, 'send', (_, original, frame) => {
    const changed = change(frame);
    return changed === undefined ? true : original(changed);
  });

let world: KitWorld;
beforeEach(async () => {
  world = await KitWorld.make();
});
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) each();
  await world.stop();
});

const mutants: readonly (readonly [fault: string, clause: SplitterClause, plant: () => void])[] = [
  [
    'calls itself otherwise in its inventory',
    'S1.1',
    () =>
      wrong(SplitterCore, 'inventory', (_, original, input) => {
        const answer = original(input);
        return { ...answer, volumes: [...answer.volumes, ...answer.volumes] };
      }),
  ],
  [
    'answers an unknown volume with another code',
    'S1.2',
    () => wrong(SplitterCore, 'missing', (_, original, id) => new MoverError('GROUP_NOT_FOUND', original(id).message)),
  ],
  [
    'greets with another name',
    'S2.1',
    () => sends((frame) => (frame.type === 'hello' ? { ...frame, splitter: 's2' as typeof frame.splitter } : frame)),
  ],
  [
    'attaches with another size',
    'S2.2',
    () => sends((frame) => (frame.type === 'attach' ? { ...frame, sizeBytes: frame.sizeBytes + 512 } : frame)),
  ],
  [
    'leaves a number out',
    'S2.3',
    () => sends((frame) => (frame.type === 'write' && frame.n === 5 ? undefined : frame)),
  ],
  [
    'changes data on its way',
    'S2.4',
    () =>
      sends((frame) => {
        if (frame.type !== 'write') return frame;
        const data = Buffer.from(frame.data);
        data.writeUInt8(data.readUInt8(0) ^ 1, 0);
        return { ...frame, data };
      }),
  ],
  [
    'sends without credit',
    'S2.5',
    () => define(CreditAccount.prototype, 'spend', { writable: true, value: () => undefined }),
  ],
  [
    'sends other data under a number that was used',
    'S2.6',
    () => {
      let attaches = 0;
      sends((frame) => {
        if (frame.type === 'attach') attaches += 1;
        return frame.type === 'write' && attaches > 1 ? { ...frame, offset: frame.offset + 4_096 } : frame;
      });
    },
  ],
  [
    'confirms before the site has it durable',
    'S2.9',
    () =>
      wrong(VolumeSplit, 'advance', (self, original) => {
        const n = self.peek()?.n;
        original();
        if (n !== undefined) self.receipt(n);
      }),
  ],
  ['ignores pause', 'S2.10', () => wrong(VolumeSplit, 'pause', () => undefined)],
  [
    'accepts an older ticket',
    'S3.3',
    () => {
      wrong(VolumeSplit, 'checkNotify', lenient('STALE_ATTEMPT'));
      wrong(VolumeSplit, 'checkFence', lenient('STALE_ATTEMPT'));
    },
  ],
  [
    'takes an attempt with the same ticket for the same one',
    'S3.5',
    () => wrong(VolumeSplit, 'checkNotify', lenient('STALE_ATTEMPT')),
  ],
  ['is notified at any epoch', 'S3.6', () => wrong(VolumeSplit, 'checkNotify', lenient('EPOCH_MISMATCH'))],
  ['fences without a notice', 'S3.7', () => wrong(VolumeSplit, 'checkFence', lenient('NOT_NOTIFIED'))],
  [
    'answers a cut that is behind what it numbered',
    'S3.8',
    () =>
      wrong(SplitterCore, 'fence', (_, original, input, now) => {
        const answer = original(input, now);
        return { ...answer, cuts: answer.cuts.map((cut) => ({ ...cut, n: cut.n - 1 })) };
      }),
  ],
  [
    'answers a repeated fence with a new cut',
    'S3.9',
    () =>
      wrong(SplitterCore, 'fence', (self, original, input, now) => {
        const answer = original(input, now);
        return {
          ...answer,
          cuts: answer.cuts.map((cut) => ({ ...cut, ...self.volume(cut.volume).describe().last })),
        };
      }),
  ],
  [
    'takes a newer attempt while a fence awaits its verdict',
    'S3.10',
    () => wrong(VolumeSplit, 'checkNotify', lenient('PENDING_VERDICT')),
  ],
  [
    'counts no backlog',
    'S3.11',
    () => wrong(VolumeSplit, 'describe', (_, original) => ({ ...original(), backlogBytes: 0 })),
  ],
  [
    'shortens a lease',
    'S3.12',
    () =>
      wrong(SplitterCore, 'renew', (_, original, input, ms) => ({
        leaseMs: Math.min(original(input, ms).leaseMs, input.leaseMs - 1),
      })),
  ],
  ['never ends a lease', 'S3.13', () => wrong(VolumeSplit, 'lapse', () => false)],
  [
    'decides by the end of the lease',
    'S3.13',
    () =>
      wrong(SplitterCore, 'tick', (self, original, ms) => {
        for (const pending of original(ms)) self.learnPending(pending, 'ABORTED', 0);
        return [];
      }),
  ],
  ['acknowledges in a hold', 'S3.14', () => wrong(Holds, 'isHeld', () => false)],
  [
    'says held whatever was asked',
    'S3.15',
    () =>
      wrong(SplitterCore, 'confirm', (_, original, input, ms) => {
        original(input, ms);
        return { held: true };
      }),
  ],
  ['holds until it is told', 'S3.16', () => wrong(Holds, 'expire', () => undefined)],
  [
    'begins a new epoch when a move is aborted',
    'S3.17',
    () =>
      wrong(VolumeSplit, 'learn', (self, original, attempt, verdict, bound, to, ms) => {
        original(attempt, verdict, bound, to, ms);
        if (verdict === 'ABORTED') self.reroute({ ...self.row.route, epoch: self.row.route.epoch + 1 });
      }),
  ],
  [
    'stays in the old epoch after a commit',
    'S3.18',
    () =>
      wrong(VolumeSplit, 'learn', (_, original, attempt, verdict, bound, to, ms) =>
        original(attempt, verdict, { ...bound, epoch: bound.epoch - 1 }, to, ms),
      ),
  ],
  [
    'learns a verdict anew each time',
    'S3.19',
    () => {
      let answers = 0;
      wrong(VolumeSplit, 'learned', (_, original, attempt) => {
        const learned = original(attempt);
        answers += 1;
        return learned === undefined ? undefined : { ...learned, atMs: learned.atMs + answers };
      });
    },
  ],
  ['takes the other verdict', 'S3.20', () => wrong(VolumeSplit, 'checkLearn', lenient('ATTEMPT_MISMATCH'))],
  ['is committed without a fence', 'S3.21', () => wrong(VolumeSplit, 'checkLearn', lenient('NOT_FENCED'))],
  [
    'is notified of an attempt that is over',
    'S3.22',
    () => wrong(VolumeSplit, 'checkNotify', lenient('ATTEMPT_ABORTED')),
  ],
  [
    'forgets the abort of an attempt that it never saw',
    'S3.23',
    () =>
      wrong(VolumeSplit, 'learn', (self, original, attempt, verdict, bound, to, ms) => {
        if (self.row.notice !== undefined) original(attempt, verdict, bound, to, ms);
      }),
  ],
  [
    'answers an older position in a cut',
    'S4.1',
    () =>
      wrong(VolumeSplit, 'standing', (_, original) => {
        const cut = original();
        return 'reason' in cut ? cut : { ...cut, n: Math.max(0, cut.n - 1) };
      }),
  ],
  [
    'does not say that a member is behind a fence',
    'S4.2',
    () =>
      wrong(VolumeSplit, 'standing', (_, original) => {
        const { fencedBy: _left, ...cut } = { fencedBy: undefined, ...original() };
        return cut;
      }),
  ],
  [
    'says held after a cut without a hold',
    'S4.3',
    () =>
      wrong(SplitterCore, 'confirmCut', (_, original, input, ms) => {
        original(input, ms);
        return { held: true };
      }),
  ],
];

/** Faults that show once it was started again. */
const forgetful: readonly (readonly [fault: string, clause: SplitterClause, plant: () => void])[] = [
  [
    'keeps its life over a restart',
    'S5.1',
    () =>
      wrong(SplitterCore, 'cut', (_, original, input, now) => ({
        ...original(input, now),
        life: '0'.repeat(32) as ReturnType<typeof original>['life'],
      })),
  ],
  [
    'forgets a fence',
    'S5.3',
    () => wrong(SplitIndex, 'changedRows', (_, original) => original().map(({ fence: _unstored, ...row }) => row)),
  ],
  [
    'forgets a verdict',
    'S5.4',
    () => wrong(SplitIndex, 'changedRows', (_, original) => original().map(({ decided: _unstored, ...row }) => row)),
  ],
  [
    'confirms the hold of an earlier life',
    'S5.5',
    () =>
      wrong(SplitterCore, 'confirmCut', (_, original, input, ms) => {
        original(input, ms);
        return { held: true };
      }),
  ],
];

test.each([...mutants, ...forgetful])('a splitter that %s fails at %s', async (_, clause, plant) => {
  plant();
  await world.startHere();
  const restart = async (): Promise<void> => {
    await world.end();
    await world.startHere();
  };
  const findings = await world.check({ patienceMs: PATIENCE_MS, restart, only: new Set([clause]) });
  const failed = findings.filter(({ result }) => result === 'fail');
  expect(failed.map((finding) => finding.clause)).toContain(clause);
  for (const { evidence } of failed) expect(evidence).toBeDefined();
});
