// The check of a batch's groups: a caller whom the estate does not tell its groups is not refused
// for that, since the workflow checks them too.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { estateGroups, refuseUnknownGroups, unknownGroups } from '../../client/batches/known-groups.js';
import { batchInputSchema } from '../../contracts/batch.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { Ports } from '../../control/ports.js';
import { NO_FAULTS, World } from '../simulation/world.js';

const BATCH = batchInputSchema.parse({ select: { from: ['g1', 'g8'] }, map: { g1: 'g9' } });
let world: World;

beforeEach(() => {
  world = new World(1, NO_FAULTS, { splitters: 1, volumesPerSplitter: 1 });
});
afterEach(() => {
  world.stopped = true;
});

function portsThatAnswer(code: ErrorCode): Ports {
  const { appliances, splitters } = world.ports();
  const refuse = async (): Promise<never> => Promise.reject(new MoverError(code, 'No.'));
  return {
    appliances: new Map(
      [...appliances].map(([id, port]) => [id, { ...port, calls: { ...port.calls, siteGroups: refuse } }]),
    ),
    splitters,
  };
}

test.each<ErrorCode>(['UNREACHABLE', 'UNAUTHORIZED', 'FORBIDDEN'])(
  'an estate that answers %s leaves the groups unchecked',
  async (code) => {
    expect(await estateGroups(portsThatAnswer(code))).toBeUndefined();
    expect(await refuseUnknownGroups(portsThatAnswer(code), BATCH)).toBe(false);
  },
);

test('any other failure is told', async () => {
  await expect(estateGroups(portsThatAnswer('CORRUPT'))).rejects.toMatchObject({ code: 'CORRUPT' });
});

test('each unknown group is named with its field', () => {
  expect(unknownGroups(BATCH, new Set(['g1'])).map(({ subject, message }) => `${subject}: ${message}`)).toEqual([
    'select.from: there is no consistency group "g8"',
    'map.g1: there is no consistency group "g9"',
  ]);
});
