// A round of cuts over two splitters, which answer over real connections: what is closed, and what
// is not.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { recoveryPointSchema } from '../../contracts/point.js';
import type { replicaSiteApi } from '../../contracts/replica-site-api.js';
import type { InputOf, OutputOf } from '../../contracts/route.js';
import { HOLD_MS_MAX } from '../../contracts/splitter-api.js';
import { Membership } from '../../simulator/appliance/core/membership.js';
import { Rounds, type RoundRequest } from '../../simulator/appliance/rounds.js';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import { untilTrue } from '../support/until.js';
import { G1, S1, V1, V2 } from './site-core-fixture.js';

const S2 = splitterIdSchema.parse('s2');

type Api = typeof replicaSiteApi;
type Point = InputOf<Api['closePoint']>;

/** A site that closes every point it is asked for, and remembers them. */
class ClosingSite {
  readonly closed: Point[] = [];

  readonly call = async <Name extends keyof Api>(
    name: Name,
    input: InputOf<Api[Name]>,
  ): Promise<OutputOf<Api[Name]>> => {
    if (!isClosePoint(name, input)) throw new MoverError('INTERNAL', `${name} is not in this test`);
    this.closed.push(input);
    const members = input.cuts.map(({ volume, n }) => ({ volume, position: n, epoch: 1 }));
    const { group, kind, atMs, leftOut } = input;
    const id = `p${String(this.closed.length).padStart(9, '0')}`;
    return recoveryPointSchema.parse({ id, group, kind, atMs, members, leftOut }) as OutputOf<Api[Name]>;
  };
}

function isClosePoint(name: string, _input: unknown): _input is Point {
  return name === 'closePoint';
}

const splitters = { one: new FakeSplitterControl('s1'), two: new FakeSplitterControl('s2') };
let site: ClosingSite;
let rounds: Rounds;
const detached = new Set<string>();

beforeEach(async () => {
  splitters.one = await new FakeSplitterControl('s1').start();
  splitters.two = await new FakeSplitterControl('s2').start();
  splitters.one.members.set(V1, { group: G1, n: 5 });
  splitters.two.members.set(V2, { group: G1, n: 7 });
  site = new ClosingSite();
  detached.clear();
  const known = new Membership();
  known.learnGroup(
    G1,
    [V1, V2].map((volume) => ({ volume, group: G1, epoch: 1 })),
  );
  rounds = new Rounds({
    name: 'test',
    site,
    relays: {
      isAttached: (volume) => !detached.has(volume),
      splittersOf: () =>
        [splitters.one, splitters.two].map(({ url }, i) => ({ splitter: i === 0 ? S1 : S2, controlUrl: url })),
    },
    members: { known, learnPoint: () => undefined, refreshGroup: async () => undefined },
    credentials: undefined,
    clock: { wallMs: 1_000 },
    skews: { ask: () => ({ monotonicMs: 0, wallMs: 0 }), answered: () => undefined },
  });
});
afterEach(async () => {
  await splitters.one.stop();
  await splitters.two.stop();
});

async function close(request: Partial<RoundRequest> = {}): Promise<string> {
  try {
    const point = await rounds.close({ group: G1, kind: 'periodic', waitMs: 0, ...request });
    return point === undefined
      ? 'no point'
      : point.members.map(({ volume, position }) => `${volume}@${position}`).join(' ');
  } catch (error) {
    return error instanceof MoverError ? error.code : String(error);
  }
}

describe('given two splitters with members of a group', () => {
  test('when both hold until all have cut, then the point has the cuts of both', async () => {
    expect(await close()).toBe('v1@5 v2@7');
    for (const { asked, confirmed } of Object.values(splitters)) {
      expect(asked).toMatchObject([{ holdMs: HOLD_MS_MAX }]);
      expect(confirmed).toEqual([asked[0]?.round]);
    }
  });

  test.each(['one', 'two'] as const)('when splitter %s held no longer, then no point is closed', async (which) => {
    splitters[which].holds = false;
    expect(await close()).toBe('CUT_VOID');
    expect(site.closed).toEqual([]);
    expect(rounds.skippedOf(G1)).toBe(1);
  });

  test('when one does not answer, then no point is closed and the other is let go on at once', async () => {
    splitters.one.answers = false;
    expect(await close()).toBe('SHUTTING_DOWN');
    expect(site.closed).toEqual([]);
    await untilTrue('the end of the other hold', 5_000, async () => splitters.two.confirmed.length === 1);
  });

  test('when a point must have a volume that no cut names, then none is closed', async () => {
    const absent = volumeIdSchema.parse('v9');
    expect(await close({ mustHave: [V1, absent] })).toBe('no point');
    expect(site.closed).toEqual([]);
    expect(await close({ mustHave: [V1, V2] })).toBe('v1@5 v2@7');
  });

  test('when a point must have a volume that has not attached yet, then no splitter is asked', async () => {
    detached.add(V2);
    expect(await close({ kind: 'demand', mustHave: [V2] })).toBe('no point');
    expect([...splitters.one.asked, ...splitters.two.asked]).toEqual([]);
    detached.delete(V2);
    expect(await close({ kind: 'demand', mustHave: [V2] })).toBe('v1@5 v2@7');
  });

  test('when a periodic round is stopped while it waits for the one before, then it asks nobody', async () => {
    const stopping = new AbortController();
    const before = close({ kind: 'demand' });
    const waiting = close({ signal: stopping.signal });
    stopping.abort(new MoverError('SHUTTING_DOWN', 'stopped by the test'));
    expect(await before).toBe('v1@5 v2@7');
    expect(await waiting).toBe('SHUTTING_DOWN');
    expect(site.closed).toHaveLength(1);
    expect(splitters.one.asked).toHaveLength(1);
  });
});
