// What a batch's requests become against an inventory: its moves in their order, and what is left
// out and why.
import { describe, expect, test } from 'vitest';
import { draftPlan, type Estate, requestedMoveOf, requestedMovesOf } from '../../activities/batch/draft-plan.js';
import { batchMoveSchema } from '../../contracts/batch.js';
import { applianceIdSchema, groupIdSchema } from '../../contracts/ids.js';
import { type InventoryVolume, inventoryVolumeSchema } from '../../contracts/inventory.js';

const g = (id: string) => groupIdSchema.parse(id);

function volume(
  id: string,
  more: Partial<Record<'group' | 'vm', string>> & { sizeBytes?: number; labels?: object } = {},
): InventoryVolume {
  return inventoryVolumeSchema.parse({
    volume: id,
    splitter: 's',
    sizeBytes: 100,
    group: 'gold',
    appliance: 'a1',
    ...more,
  });
}

function estateOf(volumes: readonly InventoryVolume[], volumesMax = 10): Estate {
  const of = (group: string, appliance: string) => ({
    appliance: applianceIdSchema.parse(appliance),
    volumesMax,
    volumes: volumes.filter((each) => each.group === group).length,
    reserved: 0,
  });
  return {
    volumes: new Map(volumes.map((each) => [each.volume, each])),
    groups: new Map([
      [g('gold'), of('gold', 'a1')],
      [g('silver'), of('silver', 'a2')],
    ]),
  };
}

const moves = (...given: unknown[]) => given.map((move) => requestedMoveOf(batchMoveSchema.parse(move)));

describe('selected volumes', () => {
  test('of one VM in one group are one move, at most 64 of them; those of no VM go alone', () => {
    const disks = Array.from({ length: 66 }, (_, i) => volume(`big-${String(i).padStart(2, '0')}`, { vm: 'big' }));
    const split = [volume('a-1', { vm: 'a' }), volume('a-2', { vm: 'a', group: 'silver' }), volume('z')];
    const { moves: requested, withoutTarget } = requestedMovesOf([...split, ...disks], () => g('bronze'));
    expect(requested.map(({ volumes }) => volumes.length)).toEqual([1, 1, 1, 64, 2]);
    expect(withoutTarget).toEqual([]);
  });

  test('in a group without a target are refused by name', () => {
    const selected = [volume('a'), volume('b', { group: 'silver' })];
    const { moves: requested, withoutTarget } = requestedMovesOf(selected, ({ group }) =>
      group === 'gold' ? g('silver') : undefined,
    );
    const plan = draftPlan(requested, withoutTarget, estateOf(selected), 'listed');
    expect(plan.items).toMatchObject([
      { seq: 0, volumes: ['a'], from: 'gold', to: 'silver', appliances: ['a1', 'a2'] },
    ]);
    expect(plan).toMatchObject({ refused: 1, leftOut: [{ volumes: ['b'], code: 'GROUP_NOT_FOUND' }] });
  });
});

describe('the order', () => {
  const volumes = [
    volume('a', { sizeBytes: 300, labels: { wave: '10' } }),
    volume('b', { sizeBytes: 100 }),
    volume('c', { sizeBytes: 200, labels: { wave: '9' } }),
    volume('d', { sizeBytes: 100, labels: { wave: 'last' } }),
  ];
  const requested = moves(...volumes.map((each) => ({ volume: each.volume, to: 'silver' })));
  test.each([
    { order: 'listed' as const, expected: ['a', 'b', 'c', 'd'] },
    { order: 'smallest-first' as const, expected: ['b', 'd', 'c', 'a'] },
    { order: { byLabel: 'wave' }, expected: ['c', 'a', 'd', 'b'] },
  ])('$order', ({ order, expected }) => {
    const { items } = draftPlan(requested, [], estateOf(volumes), order);
    expect(items.map(({ volumes: [only] }) => only)).toEqual(expected);
    expect(items.map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
  });
});

test('a volume that is in its target already is left out of its move; a move of only such volumes is none', () => {
  const volumes = [volume('a'), volume('b', { group: 'silver' }), volume('c', { group: 'silver' })];
  const plan = draftPlan(
    moves({ volumes: ['a', 'b'], to: 'silver' }, { volume: 'c', to: 'silver' }),
    [],
    estateOf(volumes),
    'listed',
  );
  expect(plan).toMatchObject({ items: [{ volumes: ['a'] }], alreadyThere: 1, refused: 0 });
});

describe('refused', () => {
  const volumes = [volume('a'), volume('b', { group: 'silver' }), volume('c')];
  test.each([
    { what: 'an unknown volume', move: { volume: 'x', to: 'silver' }, code: 'VOLUME_NOT_FOUND' },
    { what: 'an unknown group', move: { volume: 'a', to: 'bronze' }, code: 'GROUP_NOT_FOUND' },
    { what: 'an unknown source group', move: { volume: 'a', to: 'silver', from: 'gld' }, code: 'GROUP_NOT_FOUND' },
    { what: 'another source group', move: { volume: 'a', to: 'silver', from: 'silver' }, code: 'NOT_OWNER' },
    { what: 'a volume twice in a move', move: { volumes: ['a', 'a'], to: 'silver' }, code: 'INVALID_REQUEST' },
  ])('$what', ({ move, code }) => {
    expect(draftPlan(moves(move), [], estateOf(volumes), 'listed').leftOut).toMatchObject([{ code }]);
  });

  test('a volume that another move of the batch has', () => {
    const plan = draftPlan(
      moves({ volume: 'a', to: 'silver' }, { volume: 'a', to: 'gold' }),
      [],
      estateOf(volumes),
      'listed',
    );
    expect(plan).toMatchObject({ items: [{ volumes: ['a'], to: 'silver' }], leftOut: [{ code: 'INVALID_REQUEST' }] });
  });

  test('what would go to a retired group', () => {
    const estate = estateOf([volume('a')]);
    const silver = estate.groups.get(g('silver'));
    if (silver === undefined) throw new Error('The estate has silver.');
    const groups = new Map([...estate.groups, [g('silver'), { ...silver, retired: { atMs: 1 } }]]);
    const plan = draftPlan(moves({ volume: 'a', to: 'silver' }), [], { ...estate, groups }, 'listed');
    expect(plan).toMatchObject({ items: [], leftOut: [{ volumes: ['a'], code: 'GROUP_RETIRED' }] });
  });

  test('what has no room when its turn comes, over the whole batch; leaving volumes make room', () => {
    const estate = estateOf(volumes, 2);
    const plan = draftPlan(moves({ volume: 'a', to: 'silver' }, { volume: 'c', to: 'silver' }), [], estate, 'listed');
    expect(plan).toMatchObject({ items: [{ volumes: ['a'] }], leftOut: [{ volumes: ['c'], code: 'GROUP_FULL' }] });
    const swap = draftPlan(
      moves({ volume: 'a', to: 'silver' }, { volume: 'b', to: 'gold' }, { volume: 'c', to: 'silver' }),
      [],
      estate,
      'listed',
    );
    expect(swap).toMatchObject({ items: [{ seq: 0 }, { seq: 1 }, { seq: 2 }], refused: 0 });
  });
});
