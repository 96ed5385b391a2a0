// How a batch's input becomes a stored plan, and what is read of that plan later: which volumes are
// asked for, what is stored, and what is said meanwhile.
import { describe, expect, test } from 'vitest';
import { compareSelection } from '../../activities/batch/compare-selection.js';
import { findInPlan } from '../../activities/batch/find-in-plan.js';
import { planBatch, type PlanHeartbeat, targetOf } from '../../activities/batch/plan-batch.js';
import { compare, groupsOf, selectVolumes } from '../../activities/batch/selection.js';
import { batchIdSchema, batchInputSchema, type ParsedBatchInput, selectorSchema } from '../../contracts/batch.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { type StoredMoveReport, storedMoveReportSchema } from '../../contracts/report.js';
import { readPlan } from '../../control/batch-plan.js';
import { batchSite, beatingRun, inventoryVolume } from '../support/batch-site.js';

const batch = batchIdSchema.parse('b@1');
const parsed = (input: object): ParsedBatchInput => batchInputSchema.parse(input);
const GOLD_TO_SILVER = parsed({ select: { from: 'gold' }, to: 'silver' });

function goldVolumes(count: number, more: object = {}) {
  return Array.from({ length: count }, (_, i) => inventoryVolume(`v${String(i).padStart(4, '0')}`, more));
}

describe('a selector', () => {
  test.each([
    { select: { from: 'gold' }, query: { group: 'gold' } },
    { select: { from: ['gold'] }, query: { group: 'gold' } },
    { select: { from: ['gold', 'silver'] }, query: {} },
    { select: { name: 'vm-*' }, query: { namePattern: 'vm-*' } },
    { select: { vm: 'web' }, query: { vm: 'web' } },
    { select: { labels: { tier: 'gold', app: 'db' } }, query: { labels: 'tier=gold,app=db' } },
    { select: { labels: {} }, query: {} },
    {
      select: { from: 'gold', name: '*', vm: 'web', labels: { tier: 'gold' } },
      query: { group: 'gold', namePattern: '*', vm: 'web', labels: 'tier=gold' },
    },
  ])('of $select asks the inventory for $query', async ({ select, query }) => {
    const site = batchSite({});
    expect(await selectVolumes(site.ports, selectorSchema.parse(select))).toEqual([]);
    expect(site.asked).toEqual([query]);
  });

  test('finds every volume of its groups, each once, by id, and says how many after each page', async () => {
    const [a, b, c, d] = [
      inventoryVolume('a', { group: 'silver' }),
      inventoryVolume('b'),
      inventoryVolume('c', { group: 'bronze' }),
      inventoryVolume('d'),
    ];
    const counts: number[] = [];
    // One volume is listed twice, as when another comes between two pages.
    const site = batchSite({ volumes: [d, b, d, c, a] });
    const found = await selectVolumes(site.ports, selectorSchema.parse({ from: ['silver', 'gold'] }), (count) =>
      counts.push(count),
    );
    expect(found).toEqual([a, b, d]);
    expect(counts).toEqual([2, 2, 3]);
    expect(site.asked).toEqual([{}, { cursor: '2' }, { cursor: '4' }]);
  });

  test('of labels that no volume can have is refused', async () => {
    const { ports, asked } = batchSite({});
    await expect(selectVolumes(ports, { labels: { 'no name': 'x' } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    expect(asked).toEqual([]);
  });

  test.each([
    { from: undefined, groups: undefined },
    { from: 'gold', groups: ['gold'] },
    { from: ['gold', 'silver'], groups: ['gold', 'silver'] },
  ])('from $from names the groups $groups', ({ from, groups }) => {
    expect(groupsOf(from === undefined ? {} : selectorSchema.parse({ from }))).toEqual(groups);
  });

  test.each([
    ['a', 'b', -1],
    ['b', 'a', 1],
    ['a', 'a', 0],
    ['B', 'a', -1],
    ['a10', 'a9', -1],
  ])('sorts by code points: %s to %s is %i', (a, b, order) => {
    expect(compare(a, b)).toBe(order);
  });
});

describe('the target of a selected volume', () => {
  const map = { gold: 'silver', bronze: 'tin' };
  test.each([
    { input: { to: 'silver' }, group: 'gold', target: 'silver' },
    { input: { to: 'silver' }, group: 'silver', target: 'silver' },
    { input: { map }, group: 'gold', target: 'silver' },
    { input: { map }, group: 'bronze', target: 'tin' },
    { input: { map }, group: 'silver', target: 'silver' },
    { input: { map }, group: 'tin', target: 'tin' },
    { input: { map }, group: 'lead', target: undefined },
  ])('in $group under $input is $target', ({ input, group, target }) => {
    const select = { from: 'gold' };
    expect(targetOf(parsed({ select, ...input }), inventoryVolume('a', { group }))).toBe(target);
  });
});

describe('a plan', () => {
  test('is stored in pages of 200 and says how far it is', async () => {
    const { ports, plans } = batchSite({ volumes: goldVolumes(401), pageSize: 300 });
    const run = beatingRun<PlanHeartbeat>();
    expect(await planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', run)).toEqual({
      planned: 401,
      alreadyThere: 0,
      refused: 0,
      leftOut: [],
    });
    expect(run.beats).toEqual([
      { doing: 'listing', count: 300 },
      { doing: 'listing', count: 401 },
      { doing: 'storing', count: 200 },
      { doing: 'storing', count: 400 },
      { doing: 'storing', count: 401 },
    ]);
    expect(plans.page({ batch, from: 399, limit: 9 })).toMatchObject({
      planned: 401,
      items: [
        { seq: 399, volumes: ['v0399'] },
        { seq: 400, volumes: ['v0400'] },
      ],
    });
  });

  test('that another run finished first stands, with all that it says', async () => {
    const { ports, plans, asked } = batchSite({ volumes: goldVolumes(3) });
    const leftOut = [{ volumes: [volumeIdSchema.parse('x')], code: 'VOLUME_NOT_FOUND', message: 'gone' }] as const;
    const earlier = {
      planned: 0,
      alreadyThere: 4,
      refused: 1,
      leftOut: leftOut.map((each) => ({ ...each, volumes: [...each.volumes] })),
    };
    plans.finish({ batch, draft: 'other', plannedAtMs: 1, ...earlier });
    expect(await planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', beatingRun())).toEqual(earlier);
    expect(asked, 'nothing is listed again').toEqual([]);
  });

  test('that another run finishes meanwhile stands', async () => {
    const { ports, plans } = batchSite({ volumes: goldVolumes(3) });
    const other = { planned: 0, alreadyThere: 9, refused: 0, leftOut: [] };
    const run = {
      ...beatingRun<PlanHeartbeat>(),
      heartbeat: ({ doing }: PlanHeartbeat) => {
        if (doing === 'storing') plans.finish({ batch, draft: 'other', plannedAtMs: 1, ...other });
      },
    };
    expect(await planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', run)).toEqual(other);
  });

  test('is not stored once the activity is cancelled', async () => {
    const { ports, plans } = batchSite({ volumes: goldVolumes(3) });
    const run = beatingRun<PlanHeartbeat>(AbortSignal.abort(new Error('cancelled')));
    await expect(planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', run)).rejects.toThrow('cancelled');
    expect(plans.page({ batch, from: 0, limit: 1 })).toEqual({ items: [], leftOut: [] });
  });

  test('of listed moves has their volumes and no others, in the given order', async () => {
    const { ports, plans } = batchSite({ volumes: [...goldVolumes(5), inventoryVolume('z', { group: 'silver' })] });
    const moves = [
      { volumes: ['v0003', 'v0001'], to: 'silver' },
      { volume: 'z', to: 'silver' },
      { volume: 'x', to: 'silver' },
      { volume: 'v0000', to: 'silver', from: 'gold' },
    ];
    expect(await planBatch(ports, { batch, input: parsed({ moves }) }, 'try-1', beatingRun())).toEqual({
      planned: 2,
      alreadyThere: 1,
      refused: 1,
      leftOut: [{ volumes: ['x'], to: 'silver', code: 'VOLUME_NOT_FOUND', message: 'there is no volume "x"' }],
    });
    const { items } = plans.page({ batch, from: 0, limit: 9 });
    expect(items.map(({ volumes }) => volumes)).toEqual([['v0003', 'v0001'], ['v0000']]);
  });

  test('takes the order of the options, for selected and for listed moves', async () => {
    const volumes = [3, 1, 2].map((sizeBytes, i) => inventoryVolume(`v${i}`, { sizeBytes }));
    const options = { order: 'smallest-first' };
    const moves = volumes.map(({ volume }) => ({ volume, to: 'silver' }));
    for (const input of [
      { select: { from: 'gold' }, to: 'silver', options },
      { moves, options },
    ]) {
      const { ports, plans } = batchSite({ volumes });
      await planBatch(ports, { batch, input: parsed(input) }, 'try-1', beatingRun());
      const { items } = plans.page({ batch, from: 0, limit: 9 });
      expect(items.map(({ volumes: [only] }) => only)).toEqual(['v1', 'v2', 'v0']);
    }
  });

  test('by a map takes each group to its target, and refuses a group that the map does not name', async () => {
    const groups = ['gold', 'silver', 'bronze', 'tin'];
    const volumes = groups.map((group) => inventoryVolume(`in-${group}`, { group }));
    const { ports, plans } = batchSite({ volumes, groups });
    const input = parsed({ select: { name: 'in-*' }, map: { gold: 'silver', tin: 'gold' } });
    const leftOut = [{ volumes: ['in-bronze'], from: 'bronze', sizeBytes: 100, code: 'GROUP_NOT_FOUND' }];
    expect(await planBatch(ports, { batch, input }, 'try-1', beatingRun())).toMatchObject({
      planned: 2,
      alreadyThere: 1,
      refused: 1,
      leftOut,
    });
    expect(plans.page({ batch, from: 0, limit: 9 }).items).toMatchObject([
      { volumes: ['in-gold'], to: 'silver' },
      { volumes: ['in-tin'], to: 'gold' },
    ]);
  });
});

describe('a plan is refused when a group of its input does not exist', () => {
  test.each([
    {
      input: { select: { from: ['gold', 'gld'] }, to: 'slver' },
      unknown: [
        ['select.from', 'gld'],
        ['to', 'slver'],
      ],
    },
    {
      input: { select: { name: '*' }, map: { gold: 'slver', gld: 'silver' } },
      unknown: [
        ['map.gold', 'slver'],
        ['map.gld', 'gld'],
      ],
    },
    { input: { select: { from: 'gld' }, to: 'silver' }, unknown: [['select.from', 'gld']] },
  ])('$input', async ({ input, unknown }) => {
    const { ports, asked } = batchSite({ volumes: goldVolumes(1), pageSize: 1 });
    const sentences = unknown.map(([field, group]) => `${field}: there is no consistency group "${group}"`);
    await expect(planBatch(ports, { batch, input: parsed(input) }, 'try-1', beatingRun())).rejects.toMatchObject({
      code: 'GROUP_NOT_FOUND',
      message: `The batch cannot be planned: ${sentences.join('; ')}.`,
      reasons: unknown.map(([subject, group]) => ({
        code: 'GROUP_NOT_FOUND',
        subject,
        message: `there is no consistency group "${group}"`,
      })),
    });
    expect(asked, 'no volume is listed').toEqual([]);
  });
});

describe('the failed moves of an earlier batch', () => {
  const failedOf = batchIdSchema.parse('earlier@1');
  const report = (seq: number | undefined, tries: number, outcome: string): StoredMoveReport =>
    storedMoveReportSchema.parse({
      move: `earlier/${seq ?? 'x'}-try-${tries}@r`,
      outcome,
      volumes: [`v${seq ?? 9}`],
      to: 'silver',
      startedAtMs: 1,
      endedAtMs: 2,
      batch: failedOf,
      ...(seq === undefined ? {} : { seq }),
    });
  const reports = [
    report(0, 1, 'failed'),
    report(0, 2, 'moved'),
    report(1, 1, 'failed'),
    report(1, 2, 'failed'),
    report(2, 1, 'cancelled'),
    report(3, 1, 'moved'),
    report(3, 2, 'failed'),
    report(undefined, 1, 'failed'),
  ];
  const volumes = Array.from({ length: 10 }, (_, i) => inventoryVolume(`v${i}`));
  const input = parsed({ failedOf });

  test('are those whose last try failed, each once', async () => {
    const { ports, plans } = batchSite({ volumes, reports, pageSize: 3 });
    plans.finish({ batch: failedOf, draft: 'd', planned: 0, alreadyThere: 0, refused: 0, leftOut: [], plannedAtMs: 1 });
    const run = beatingRun<PlanHeartbeat>();
    expect(await planBatch(ports, { batch, input }, 'try-1', run)).toMatchObject({ planned: 2 });
    expect(plans.page({ batch, from: 0, limit: 9 }).items).toMatchObject([
      { volumes: ['v1'], to: 'silver' },
      { volumes: ['v3'], to: 'silver' },
    ]);
    expect(
      run.beats.slice(0, 3).map(({ count }) => count),
      'moves with a report, page by page',
    ).toEqual([2, 4, 4]);
  });

  test('are not found when the batch has no plan', async () => {
    const { ports } = batchSite({ volumes, reports });
    await expect(planBatch(ports, { batch, input }, 'try-1', beatingRun())).rejects.toMatchObject({
      code: 'BATCH_NOT_FOUND',
      message: 'The replica site has no plan of batch "earlier@1".',
    });
  });
});

describe('in the plan', () => {
  test('a volume is found on any page, by any disk of its move; the search says how far it is', async () => {
    const machine = [inventoryVolume('z-0', { vm: 'z' }), inventoryVolume('z-1', { vm: 'z' })];
    const { ports } = batchSite({ volumes: [...goldVolumes(400), ...machine], pageSize: 500 });
    await planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', beatingRun());
    const run = beatingRun<{ looked: number }>();
    const found = await findInPlan(ports, { batch, volume: volumeIdSchema.parse('z-1') }, run);
    expect(found).toMatchObject({ seq: 400, volumes: ['z-0', 'z-1'] });
    expect(run.beats).toEqual([{ looked: 200 }, { looked: 400 }]);
    await expect(findInPlan(ports, { batch, volume: volumeIdSchema.parse('x') }, run)).rejects.toMatchObject({
      code: 'VOLUME_NOT_FOUND',
      message: 'The batch has no move of volume "x".',
    });
    expect(run.beats.at(-1)).toEqual({ looked: 401 });
  });
});

test('moves of the plan are read by their numbers, near and far', async () => {
  const { ports } = batchSite({ volumes: goldVolumes(450), pageSize: 500 });
  await planBatch(ports, { batch, input: GOLD_TO_SILVER }, 'try-1', beatingRun());
  const seqs = [449, 0, 3, 200, 199];
  const items = await readPlan(ports, { batch, seqs });
  expect(new Map(items.map(({ seq, volumes: [volume] }) => [seq, volume]))).toEqual(
    new Map(seqs.map((seq) => [seq, `v${String(seq).padStart(4, '0')}`])),
  );
  await expect(readPlan(ports, { batch, seqs: [450] })).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
});

describe('at the end of a batch', () => {
  const inGroup = (group: string, ...ids: string[]) => ids.map((id) => inventoryVolume(id, { group }));

  test('listed moves are compared with nothing', async () => {
    const { ports, asked } = batchSite({ volumes: goldVolumes(1) });
    const input = parsed({ moves: [{ volume: 'a', to: 'silver' }] });
    expect(await compareSelection(ports, { batch, input })).toEqual({ addedMeanwhile: [], removedMeanwhile: [] });
    expect(asked).toEqual([]);
  });

  test('what came and what went is named by id; what moved, stayed, or was refused is neither', async () => {
    const large = inventoryVolume('b', { sizeBytes: 900 });
    const volumes = [...inGroup('gold', 'e', 'd', 'c'), large, ...inGroup('bronze', 'refused')];
    const site = batchSite({ volumes, groups: ['gold', 'silver', 'bronze'] });
    const select = { from: ['gold', 'silver', 'bronze'] };
    const input = parsed({ select, map: { gold: 'silver' }, options: { order: 'smallest-first' } });
    await planBatch(site.ports, { batch, input }, 'try-1', beatingRun());
    site.change({
      volumes: [
        ...inGroup('silver', 'c', 'arrived-there'),
        ...inGroup('gold', 'd', 'new-2', 'new-1', 'refused'),
        ...inGroup('bronze', 'new-without-target'),
      ],
    });
    expect(await compareSelection(site.ports, { batch, input })).toEqual({
      addedMeanwhile: ['new-1', 'new-2'],
      removedMeanwhile: ['b', 'e'],
    });
  });

  test('a plan that refused more than it lists tells nothing as added: what it refused could be told so', async () => {
    const volumes = Array.from({ length: 101 }, (_, i) =>
      inventoryVolume(`w${String(i).padStart(4, '0')}`, { group: 'bronze' }),
    );
    const site = batchSite({ volumes, groups: ['gold', 'silver', 'bronze'], pageSize: 200 });
    const input = parsed({ select: { from: ['gold', 'bronze'] }, map: { gold: 'silver' } });
    await planBatch(site.ports, { batch, input }, 'try-1', beatingRun());
    site.change({ volumes: [...volumes.map(({ volume }) => inventoryVolume(volume)), inventoryVolume('new')] });
    expect(await compareSelection(site.ports, { batch, input })).toEqual({ addedMeanwhile: [], removedMeanwhile: [] });
  });

  test('at most a hundred of each are named', async () => {
    const site = batchSite({ volumes: goldVolumes(101), pageSize: 200 });
    await planBatch(site.ports, { batch, input: GOLD_TO_SILVER }, 'try-1', beatingRun());
    site.change({ volumes: Array.from({ length: 101 }, (_, i) => inventoryVolume(`w${String(i).padStart(4, '0')}`)) });
    const { addedMeanwhile, removedMeanwhile } = await compareSelection(site.ports, { batch, input: GOLD_TO_SILVER });
    const hundred = (letter: string) => Array.from({ length: 100 }, (_, i) => `${letter}${String(i).padStart(4, '0')}`);
    expect(addedMeanwhile).toEqual(hundred('w'));
    expect(removedMeanwhile).toEqual(hundred('v'));
  });
});
