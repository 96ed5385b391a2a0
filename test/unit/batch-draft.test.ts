// The draft of a batch's plan: the moves, their order, and each refusal in its exact words.
import { describe, expect, test } from 'vitest';
import {
  type DraftPlan,
  draftPlan,
  type Estate,
  requestedMoveOf,
  requestedMovesOf,
} from '../../activities/batch/draft-plan.js';
import { BATCH_FAILURES_SHOWN_MAX, batchMoveSchema, type BatchOptions } from '../../contracts/batch.js';
import { applianceIdSchema, groupIdSchema } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import { inventoryVolume } from '../support/batch-site.js';

const g = (id: string) => groupIdSchema.parse(id);
type Group = NonNullable<ReturnType<Estate['groups']['get']>>;

/** Gold on appliance a1, silver on a2; both with room for ten and as many volumes as there are. */
function estateOf(volumes: readonly InventoryVolume[], changed: Readonly<Record<string, Partial<Group>>> = {}): Estate {
  const of = (group: string, appliance: string): [ReturnType<typeof g>, Group] => [
    g(group),
    {
      appliance: applianceIdSchema.parse(appliance),
      volumesMax: 10,
      volumes: volumes.filter((each) => each.group === group).length,
      reserved: 0,
      ...changed[group],
    },
  ];
  return {
    volumes: new Map(volumes.map((each) => [each.volume, each])),
    groups: new Map([of('gold', 'a1'), of('silver', 'a2'), of('bronze', 'a1')]),
  };
}

function drafted(given: readonly object[], estate: Estate, order: BatchOptions['order'] = 'listed'): DraftPlan {
  const requested = given.map((move) => requestedMoveOf(batchMoveSchema.parse(move)));
  return draftPlan(requested, [], estate, order);
}

describe('selected volumes become moves', () => {
  const to = () => g('silver');
  const disk = (vm: string, n: number, group = 'gold') =>
    inventoryVolume(`${vm}-${String(n).padStart(3, '0')}`, { vm, group });

  test('of the disks of one machine in one group, at the place of its first disk', () => {
    const alone = inventoryVolume('x');
    const { moves } = requestedMovesOf([disk('a', 0), alone, disk('b', 0), disk('a', 1), disk('a', 2, 'bronze')], to);
    expect(moves).toEqual([
      { volumes: ['a-000', 'a-001'], to: 'silver', from: 'gold' },
      { volumes: ['x'], to: 'silver', from: 'gold' },
      { volumes: ['b-000'], to: 'silver', from: 'gold' },
      { volumes: ['a-002'], to: 'silver', from: 'bronze' },
    ]);
  });

  test.each([
    { disks: 63, sizes: [63] },
    { disks: 64, sizes: [64] },
    { disks: 65, sizes: [64, 1] },
    { disks: 130, sizes: [64, 64, 2] },
  ])('of at most 64 disks: $disks are $sizes', ({ disks, sizes }) => {
    const { moves } = requestedMovesOf(
      Array.from({ length: disks }, (_, n) => disk('big', n)),
      to,
    );
    expect(moves.map(({ volumes }) => volumes.length)).toEqual(sizes);
    expect(new Set(moves.flatMap(({ volumes }) => volumes)).size).toBe(disks);
  });

  test('unless their group has no target; they are refused by name with their place', () => {
    const selected = [inventoryVolume('a'), inventoryVolume('b', { group: 'bronze', sizeBytes: 70 })];
    const { moves, withoutTarget } = requestedMovesOf(selected, ({ group }) =>
      group === 'gold' ? g('silver') : undefined,
    );
    expect(withoutTarget).toEqual([selected[1]]);
    expect(draftPlan(moves, withoutTarget, estateOf(selected), 'listed')).toEqual({
      items: [{ seq: 0, volumes: ['a'], from: 'gold', to: 'silver', sizeBytes: 100, appliances: ['a1', 'a2'] }],
      alreadyThere: 0,
      refused: 1,
      leftOut: [
        {
          volumes: ['b'],
          from: 'bronze',
          sizeBytes: 70,
          code: 'GROUP_NOT_FOUND',
          message: 'volume "b" is in group "bronze", for which "map" names no target',
        },
      ],
    });
  });
});

test('a requested move names one volume or several, and where they must be', () => {
  const of = (move: object) => requestedMoveOf(batchMoveSchema.parse(move));
  expect(of({ volume: 'a', to: 'silver' })).toEqual({ volumes: ['a'], to: 'silver' });
  expect(of({ volumes: ['a', 'b'], to: 'silver', from: 'gold' })).toEqual({
    volumes: ['a', 'b'],
    to: 'silver',
    from: 'gold',
  });
});

describe('a planned move', () => {
  const volumes = [
    inventoryVolume('a', { sizeBytes: 1 }),
    inventoryVolume('b', { sizeBytes: 20 }),
    inventoryVolume('c', { group: 'silver', appliance: 'a2', sizeBytes: 300 }),
  ];

  test('has the volumes that are to move, their size together, and both appliances', () => {
    const { items, alreadyThere } = drafted(
      [{ volumes: ['c', 'a', 'b'], to: 'silver', from: 'gold' }],
      estateOf(volumes),
    );
    const appliances = ['a1', 'a2'];
    expect(items).toEqual([{ seq: 0, volumes: ['a', 'b'], from: 'gold', to: 'silver', sizeBytes: 21, appliances }]);
    expect(alreadyThere, 'a volume that is there is left out of its move, and is no move').toBe(0);
  });

  test('between groups of one appliance names it once', () => {
    expect(drafted([{ volume: 'a', to: 'bronze' }], estateOf(volumes)).items).toMatchObject([{ appliances: ['a1'] }]);
  });

  test('of volumes that are all there is none, and counts as there', () => {
    const plan = drafted(
      [
        { volume: 'c', to: 'silver' },
        { volume: 'a', to: 'gold' },
      ],
      estateOf(volumes),
    );
    expect(plan).toEqual({ items: [], alreadyThere: 2, refused: 0, leftOut: [] });
  });
});

describe('a move is refused', () => {
  const volumes = [
    inventoryVolume('a', { sizeBytes: 1 }),
    inventoryVolume('b', { sizeBytes: 20 }),
    inventoryVolume('c', { group: 'silver' }),
    inventoryVolume('d', { group: 'bronze' }),
  ];
  const place = { from: 'gold', sizeBytes: 1 };

  test.each([
    {
      move: { volumes: ['a', 'b', 'a'], to: 'silver' },
      leftOut: { from: 'gold', sizeBytes: 22, code: 'INVALID_REQUEST', message: 'volume "a" is named more than once' },
    },
    {
      move: { volume: 'a', to: 'tin' },
      leftOut: { ...place, code: 'GROUP_NOT_FOUND', message: 'there is no consistency group "tin"' },
    },
    {
      move: { volume: 'x', to: 'silver' },
      leftOut: { code: 'VOLUME_NOT_FOUND', message: 'there is no volume "x"' },
    },
    {
      move: { volumes: ['a', 'x'], to: 'silver' },
      leftOut: { ...place, code: 'VOLUME_NOT_FOUND', message: 'there is no volume "x"' },
    },
    {
      move: { volumes: ['a', 'd'], to: 'silver' },
      leftOut: {
        from: 'gold',
        sizeBytes: 101,
        code: 'INVALID_REQUEST',
        message: 'the volumes are in several groups ("gold", "bronze"); one move takes volumes of one group only',
      },
    },
    {
      move: { volume: 'a', to: 'silver', from: 'tin' },
      leftOut: { ...place, code: 'GROUP_NOT_FOUND', message: 'there is no consistency group "tin"' },
    },
    {
      move: { volume: 'a', to: 'silver', from: 'bronze' },
      leftOut: { ...place, code: 'NOT_OWNER', message: 'volume "a" is in group "gold", not "bronze"' },
    },
  ])('$move: $leftOut.message', ({ move, leftOut }) => {
    const named = 'volumes' in move ? move.volumes : [move.volume];
    expect(drafted([move], estateOf(volumes))).toEqual({
      items: [],
      alreadyThere: 0,
      refused: 1,
      leftOut: [{ volumes: named, to: move.to, ...leftOut }],
    });
  });

  test('into a retired group, whether its volumes are there or not', () => {
    const plan = drafted(
      [
        { volume: 'a', to: 'silver' },
        { volume: 'c', to: 'silver' },
      ],
      estateOf(volumes, { silver: { retired: { atMs: 1 } } }),
    );
    const message = 'group "silver" is retired';
    expect(plan).toMatchObject({
      refused: 2,
      alreadyThere: 0,
      leftOut: [{ code: 'GROUP_RETIRED', message }, { message }],
    });
  });

  test('when another move of the batch names its volume, even if that one is refused too', () => {
    const plan = drafted(
      [
        { volume: 'a', to: 'tin' },
        { volume: 'a', to: 'silver' },
      ],
      estateOf(volumes),
    );
    expect(plan.items).toEqual([]);
    expect(plan.leftOut.map(({ message }) => message)).toEqual([
      'there is no consistency group "tin"',
      'volume "a" is named more than once',
    ]);
  });

  test.each([
    { room: { volumesMax: 3, volumes: 1, reserved: 0 }, message: undefined },
    {
      room: { volumesMax: 2, volumes: 1, reserved: 0 },
      message: 'group "silver" has room for 1 more, and this move brings 2',
    },
    {
      room: { volumesMax: 3, volumes: 1, reserved: 1 },
      message: 'group "silver" has room for 1 more, and this move brings 2',
    },
    {
      room: { volumesMax: 1, volumes: 3, reserved: 0 },
      message: 'group "silver" has room for 0 more, and this move brings 2',
    },
  ])('into a group with too little room: $room', ({ room, message }) => {
    const plan = drafted([{ volumes: ['a', 'b'], to: 'silver' }], estateOf(volumes, { silver: room }));
    expect(plan.items).toHaveLength(message === undefined ? 1 : 0);
    expect(plan.leftOut).toEqual(
      message === undefined
        ? []
        : [{ volumes: ['a', 'b'], from: 'gold', sizeBytes: 21, to: 'silver', code: 'GROUP_FULL', message }],
    );
  });

  test('when those before it took the room, and not when these made some', () => {
    const full = estateOf(volumes, { silver: { volumesMax: 1 } });
    const [out, first, second] = [
      { volume: 'c', to: 'bronze' },
      { volume: 'a', to: 'silver' },
      { volume: 'b', to: 'silver' },
    ];
    const plan = drafted([out, first, second], full);
    expect(plan.items.map(({ seq, volumes: [only] }) => [seq, only])).toEqual([
      [0, 'c'],
      [1, 'a'],
    ]);
    expect(plan.leftOut).toMatchObject([
      { volumes: ['b'], message: 'group "silver" has room for 0 more, and this move brings 1' },
    ]);
    expect(drafted([first, out], full).items).toMatchObject([{ seq: 0, volumes: ['c'] }]);
  });

  test('and counted beyond the hundred that are shown', () => {
    const given = Array.from({ length: BATCH_FAILURES_SHOWN_MAX + 1 }, (_, i) => ({ volume: `x${i}`, to: 'silver' }));
    const plan = drafted(given, estateOf([]));
    expect(plan.refused).toBe(BATCH_FAILURES_SHOWN_MAX + 1);
    expect(plan.leftOut).toHaveLength(BATCH_FAILURES_SHOWN_MAX);
    expect(plan.leftOut.at(-1)?.volumes).toEqual([`x${BATCH_FAILURES_SHOWN_MAX - 1}`]);
  });
});

describe('the order', () => {
  test.each([
    { labels: ['2', '10', '1'], sorted: ['1', '2', '10'] },
    { labels: ['1.5', '-3', '1.25'], sorted: ['-3', '1.25', '1.5'] },
    { labels: ['b', 'a', 'B'], sorted: ['B', 'a', 'b'] },
    { labels: ['a', '9', '1a', '-'], sorted: ['9', '-', '1a', 'a'] },
    { labels: ['1.', '.5', '3', 'x2', '2x'], sorted: ['3', '.5', '1.', '2x', 'x2'] },
    { labels: [undefined, 'z', '7'], sorted: ['7', 'z', undefined] },
    { labels: ['z', undefined, '7'], sorted: ['7', 'z', undefined] },
  ])('by label takes $labels as $sorted', ({ labels, sorted }) => {
    const volumes = labels.map((wave, i) => inventoryVolume(`v${i}`, wave === undefined ? {} : { labels: { wave } }));
    const given = volumes.map(({ volume }) => ({ volume, to: 'silver' }));
    const { items } = drafted(given, estateOf(volumes), { byLabel: 'wave' });
    const labelOf = new Map<string, string | undefined>(volumes.map(({ volume }, i) => [volume, labels[i]]));
    expect(items.map(({ volumes: [only] }) => labelOf.get(only ?? ''))).toEqual(sorted);
  });

  test('of equal moves is the listed one, by any rule', () => {
    const volumes = ['c', 'a', 'b'].map((id) => inventoryVolume(id, { labels: { wave: '1' } }));
    const given = volumes.map(({ volume }) => ({ volume, to: 'silver' }));
    const orders: BatchOptions['order'][] = ['listed', 'smallest-first', { byLabel: 'wave' }, { byLabel: 'none' }];
    for (const order of orders)
      expect(drafted(given, estateOf(volumes), order).items.map(({ volumes: [only] }) => only)).toEqual([
        'c',
        'a',
        'b',
      ]);
  });

  test('decides who gets the last room', () => {
    const volumes = [inventoryVolume('large', { sizeBytes: 9 }), inventoryVolume('small', { sizeBytes: 1 })];
    const given = volumes.map(({ volume }) => ({ volume, to: 'silver' }));
    const estate = estateOf(volumes, { silver: { volumesMax: 1 } });
    expect(drafted(given, estate).items).toMatchObject([{ volumes: ['large'] }]);
    expect(drafted(given, estate, 'smallest-first').items).toMatchObject([{ volumes: ['small'] }]);
  });
});
