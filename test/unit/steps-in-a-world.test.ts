// Steps against the simulated estate, without a fault but the one that each test makes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { learn } from '../../activities/compensation.js';
import { flush } from '../../activities/flush.js';
import { notify } from '../../activities/notify.js';
import type { StepRun } from '../../activities/run.js';
import { planMove } from '../../activities/plan.js';
import type { applianceApi } from '../../contracts/appliance-api.js';
import type { AttemptRecord } from '../../contracts/attempt.js';
import { type ApplianceId, groupIdSchema, moveIdSchema } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import { moveInputSchema } from '../../contracts/move.js';
import type { OutputOf } from '../../contracts/route.js';
import type { AttemptContext } from '../../contracts/steps.js';
import type { AppliancePort, Hooks } from '../../control/ports.js';
import { openAttempt } from '../../simulator/replica-site/core/attempts.js';
import { runMove } from '../simulation/orchestrator.js';
import { NO_FAULTS, World } from '../simulation/world.js';

const SECOND_MS = 1_000;
const LEASE_MS = 60 * SECOND_MS;
const [G1, G2] = [groupIdSchema.parse('g1'), groupIdSchema.parse('g2')];
let world: World;

beforeEach(async () => {
  world = new World(1, NO_FAULTS, { splitters: 1, volumesPerSplitter: 2 });
  world.start();
  await world.time.runUntil(() => world.acknowledged > 20, 10 * SECOND_MS);
});
afterEach(() => {
  world.stopped = true;
});

const RUN: StepRun = {
  nowMs: () => world.time.nowMs,
  monotonicMs: () => world.time.nowMs,
  sleep: async (ms) => world.time.sleep(ms),
  heartbeat: () => undefined,
};

/** What a call answers, in virtual time; an error's code. */
async function answerOf<T>(call: Promise<T>): Promise<T | string> {
  let answer: T | string | undefined;
  void call.then(
    (value) => (answer = value),
    (error: unknown) => (answer = error instanceof MoverError ? error.code : String(error)),
  );
  await world.time.runUntil(() => answer !== undefined, 60 * SECOND_MS);
  return answer ?? 'no answer';
}

function opened(move: string): AttemptRecord {
  const [volume] = world.volumes;
  if (volume === undefined) throw new Error('a world has volumes');
  const { splitter, epoch } = world.site.state.volume(volume);
  const attempt = { move: moveIdSchema.parse(move), n: 1 };
  const input = { attempt, volumes: [{ volume, splitter, epoch }], from: G1, to: G2 };
  const now = world.time.momentOf('replica-site');
  return world.site.call((state) =>
    openAttempt(state, { ...input, leaseMs: LEASE_MS, deadlineAfterMs: LEASE_MS }, now),
  );
}

test('given a splitter that does not answer, when an abort is taught, then that fails and is tried again', async () => {
  const record = opened('m1');
  for (const host of world.splitters.values()) host.crash();
  expect(await answerOf(learn(world.ports(), record, 'ABORTED'))).toBe('UNREACHABLE');
});

test('given a group whose last room is promised to a move, when another one is planned, then the plan says no', async () => {
  const input = moveInputSchema.parse({ volume: world.volumes[1], to: G2 });
  const planWith = async (reserved: number): Promise<unknown> => {
    const { appliances, splitters } = world.ports();
    const full = [...appliances].map(([id, port]): [ApplianceId, AppliancePort] => [
      id,
      {
        ...port,
        calls: { ...port.calls, siteGroups: async (query) => withRoom(await port.calls.siteGroups(query), reserved) },
      },
    ]);
    return await answerOf(planMove({ appliances: new Map(full), splitters }, input, moveIdSchema.parse('m2')));
  };
  expect(await planWith(0)).toMatchObject({ ok: true });
  expect(await planWith(1)).toMatchObject({ ok: false, reasons: [{ code: 'GROUP_FULL' }] });
});

test('given an appliance that pauses, or does not serve, the group of a move, when it is planned, then the plan says so', async () => {
  const input = moveInputSchema.parse({ volume: world.volumes[1], to: G2 });
  const planWith = async (said: object): Promise<unknown> => {
    const { appliances, splitters } = world.ports();
    const saying = [...appliances].map(([id, port]): [ApplianceId, AppliancePort] => [
      id,
      { ...port, calls: { ...port.calls, describe: async () => ({ ...(await port.calls.describe({})), ...said }) } },
    ]);
    return await answerOf(planMove({ appliances: new Map(saying), splitters }, input));
  };
  expect(await planWith({ pausedGroups: [G2] })).toMatchObject({
    ok: false,
    reasons: [{ code: 'GROUP_PAUSED', subject: G2, message: 'replication of group "g2" is paused' }],
  });
  const { appliance } = world.site.state.group(G1);
  expect(await planWith({ servedGroups: [G2] })).toMatchObject({
    ok: false,
    reasons: [{ code: 'NOT_OWNER', subject: G1, message: `appliance "${appliance}" does not serve group "g1" now` }],
  });
  expect(await planWith({ servedGroups: [G1, G2] })).toMatchObject({ ok: true, reasons: [] });
});

type Groups = OutputOf<(typeof applianceApi)['siteGroups']>;

/** The same groups, each with room for one volume, promised or not. */
function withRoom(answer: Groups, reserved: number): Groups {
  return { ...answer, groups: answer.groups.map((group) => ({ ...group, volumesMax: group.volumes + 1, reserved })) };
}

test('given a hole from before a move, when the volume has moved, then its report names no hole', async () => {
  const [volume] = world.volumes;
  if (volume === undefined) throw new Error('a world has volumes');
  const host = world.hostOf(volume);
  const holes = () => world.site.state.holesOf(volume);
  const split = () => host.core?.volume(volume);
  split()?.fail(0, 4_096, world.time.nowMs);
  const isOver = (): boolean => holes().length > 0 && holes().every(({ toPosition }) => toPosition !== undefined);
  expect(await world.time.runUntil(isOver, 60 * SECOND_MS)).toBe(true);
  const end = await answerOf(runMove(world, 'm1', [volume], G2, { workerDies: 0 }));
  expect(end).toMatchObject({ kind: 'moved', report: { volumes: [{ volume, holes: [] }] } });
});

describe('given hooks that freeze, when a volume is flushed,', () => {
  /** Flushes the first volume. @param meanwhile what happens once it is frozen */
  async function flushed(
    meanwhile: (context: AttemptContext) => Promise<unknown> = async () => undefined,
    isHeld = true,
  ): Promise<{ readonly answer: unknown; readonly told: readonly string[] }> {
    const input = moveInputSchema.parse({ volume: world.volumes[0], to: G2, options: { leaseMs: LEASE_MS } });
    const context = await answerOf(notify(world.ports(), input, { move: moveIdSchema.parse('m1'), n: 1 }, RUN));
    if (typeof context === 'string' || 'holders' in context) throw new Error('the move can begin');
    const told: string[] = [];
    const hooks: Hooks = {
      beforeFence: async ({ volumes, from, to }) => {
        told.push(`froze ${volumes.join()} of ${from} for ${to}`);
        await meanwhile(context);
        return {
          thaw: async () => {
            told.push('thawed');
            return isHeld;
          },
        };
      },
    };
    return { answer: await answerOf(flush({ ...world.ports(), hooks }, context, RUN)), told };
  }

  test('then its cut is application-consistent if the freeze has held', async () => {
    expect(await flushed()).toMatchObject({
      answer: { applicationConsistent: true },
      told: ['froze s0v0 of g1 for g2', 'thawed'],
    });
  });

  test('then its cut is none if the freeze did not hold', async () => {
    const { answer } = await flushed(undefined, false);
    expect(answer).toHaveProperty('cuts');
    expect(answer).not.toHaveProperty('applicationConsistent');
  });

  test('then its cut is none if a late call had raised the fence before', async () => {
    const { answer, told } = await flushed(async ({ attempt, volumes }) => {
      const [splitter] = world.ports().splitters.values();
      const fence = { attempt, volumes: volumes.map(({ volume }) => volume), leaseMs: LEASE_MS, holdMs: 0 };
      await splitter?.calls.fence(fence);
    });
    expect(answer).toHaveProperty('cuts');
    expect(answer).not.toHaveProperty('applicationConsistent');
    expect(told.at(-1)).toBe('thawed');
  });

  test('then everything is thawed though the fence fails', async () => {
    const { answer, told } = await flushed(async () => {
      for (const host of world.splitters.values()) host.crash();
    });
    expect(answer).toBe('UNREACHABLE');
    expect(told.at(-1)).toBe('thawed');
  });
});
