// A volume and a group are asked for by their names alone, so each name means one thing.
import { expect, test } from 'vitest';
import { reasonsOf } from '../../contracts/errors.js';
import { estateSchema } from '../../contracts/estate.js';

function refusalsOf(groups: readonly string[], volumes: readonly string[]): string[] {
  const listen = { port: 0 };
  const parsed = estateSchema.safeParse({
    replicaSite: { control: listen },
    appliances: [{ id: 'a1', control: listen, nbd: listen }],
    splitters: [
      {
        id: 's1',
        control: listen,
        nbd: listen,
        volumes: volumes.map((id) => ({ id, sizeMiB: 1, group: groups[0] })),
      },
    ],
    groups: groups.map((id) => ({ id, appliance: 'a1' })),
    worker: { health: listen },
  });
  return parsed.success ? [] : reasonsOf(parsed.error).map(({ subject, message }) => `${subject}: ${message}`);
}

const RULE = 'no two volumes or groups may have one name, in capitals or not';

test('names that differ are accepted, those of a splitter or appliance too', () => {
  expect(refusalsOf(['cg-gold', 'a1'], ['vm-1', 's1'])).toEqual([]);
});

test('a volume with the name of a group is refused', () => {
  expect(refusalsOf(['cg-gold'], ['cg-gold'])).toEqual([
    `splitters.0.volumes.0.id: volume "cg-gold" has the name of group "cg-gold": ${RULE}`,
  ]);
});

test('names that differ in capitals only are refused', () => {
  expect(refusalsOf(['cg-gold', 'CG-Gold'], ['vm-1', 'VM-1', 'Cg-gold'])).toEqual([
    `groups.1.id: group "CG-Gold" has the name of group "cg-gold": ${RULE}`,
    `splitters.0.volumes.1.id: volume "VM-1" has the name of volume "vm-1": ${RULE}`,
    `splitters.0.volumes.2.id: volume "Cg-gold" has the name of group "cg-gold": ${RULE}`,
  ]);
});

test('the same name twice is refused in the old words', () => {
  expect(refusalsOf(['cg-gold', 'cg-gold'], ['vm-1', 'vm-1'])).toEqual([
    'groups.1.id: group "cg-gold" is there twice',
    'splitters.0.volumes.1.id: volume "vm-1" is there twice',
  ]);
});
