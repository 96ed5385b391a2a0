// A volume that is written without a group starts in the one that the rules of `protect` name for
// its labels. Every reader of the file finds the same group.
import { expect, test } from 'vitest';
import { reasonsOf } from '../../contracts/errors.js';
import { type EstateInput, estateSchema } from '../../contracts/estate.js';

type Volume = EstateInput['splitters'][number]['volumes'][number];
type Rules = NonNullable<EstateInput['protect']>;
const LISTEN = { port: 0 };

function inputOf(volume: Omit<Volume, 'id' | 'sizeMiB'>, protect: Rules): EstateInput {
  return {
    replicaSite: { control: LISTEN },
    appliances: [{ id: 'a1', control: LISTEN, nbd: LISTEN }],
    splitters: [{ id: 's1', control: LISTEN, nbd: LISTEN, volumes: [{ id: 'v1', sizeMiB: 1, ...volume }] }],
    groups: ['gold', 'silver'].map((id) => ({ id, appliance: 'a1' })),
    protect,
    worker: { health: LISTEN },
  };
}

const groupOf = (volume: Omit<Volume, 'id' | 'sizeMiB'>, protect: Rules): string | undefined =>
  estateSchema.parse(inputOf(volume, protect)).splitters[0]?.volumes[0]?.group;

function refusalsOf(volume: Omit<Volume, 'id' | 'sizeMiB'>, protect: Rules): string[] {
  const parsed = estateSchema.safeParse(inputOf(volume, protect));
  return parsed.success ? [] : reasonsOf(parsed.error).map(({ subject, message }) => `${subject}: ${message}`);
}

const GOLD = { match: { tier: 'gold' }, group: 'gold' };
const SHOP = { match: { app: 'shop', tier: 'low' }, group: 'silver' };

test('the rule whose labels the volume has all of names its group', () => {
  expect(groupOf({ labels: { tier: 'gold', app: 'shop' } }, [GOLD, SHOP])).toBe('gold');
  expect(groupOf({ labels: { tier: 'low', app: 'shop', site: 'x' } }, [GOLD, SHOP])).toBe('silver');
});

test('a volume that is written with a group starts there, whatever the rules say', () => {
  expect(groupOf({ group: 'silver', labels: { tier: 'gold' } }, [GOLD])).toBe('silver');
});

test('a file that was read and written again says the same', () => {
  const first = estateSchema.parse(inputOf({ labels: { tier: 'gold' } }, [GOLD]));
  expect(estateSchema.parse(JSON.parse(JSON.stringify(first)))).toEqual(first);
});

test('two rules that match with one group place the volume; with two groups the file is refused, in either order', () => {
  const also = { match: { app: 'shop' }, group: 'silver' };
  const labels = { tier: 'gold', app: 'shop' };
  expect(groupOf({ labels }, [GOLD, { ...also, group: 'gold' }])).toBe('gold');
  expect(refusalsOf({ labels }, [GOLD, also])).toEqual([
    'splitters.0.volumes.0.group: volume "v1" has no group, and rules of "protect" that match its labels name several, "gold", "silver": give it one',
  ]);
  expect(refusalsOf({ labels }, [also, GOLD])).toHaveLength(1);
  expect(groupOf({ group: 'gold', labels }, [GOLD, also])).toBe('gold');
});

test('a volume that no rule matches is refused, and so is a rule without labels or without its group', () => {
  expect(refusalsOf({}, [GOLD])).toEqual([
    'splitters.0.volumes.0.group: volume "v1" has no group, and no rule of "protect" matches its labels: give it a group',
  ]);
  expect(refusalsOf({ group: 'gold' }, [{ match: {}, group: 'gold' }])).toEqual([
    'protect.0.match: at least one label',
  ]);
  expect(refusalsOf({ group: 'gold' }, [{ match: { a: 'b' }, group: 'none' }])).toEqual([
    'protect.0.group: there is no group "none"',
  ]);
});
