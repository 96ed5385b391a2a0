// The limits of a replica site that its environment may set.
import { expect, test } from 'vitest';
import { readReplicaSiteLimits } from '../../simulator/replica-site/limits.js';

test('what the environment does not set has its default', () => {
  expect(readReplicaSiteLimits({})).toEqual({ unappliedBytesMax: 512 * 1024 * 1024 });
});

test('seconds and MiB of the environment are taken', () => {
  const read = readReplicaSiteLimits({
    VOLUME_MOVER_UNAPPLIED_MIB: '2',
    VOLUME_MOVER_RETENTION_EVERY_S: '3',
    VOLUME_MOVER_VERDICT_KEPT_S: '4',
  });
  expect(read).toEqual({ unappliedBytesMax: 2 * 1024 * 1024, retentionEveryMs: 3_000, verdictKeptMs: 4_000 });
});

test.each([
  ['VOLUME_MOVER_UNAPPLIED_MIB', '0'],
  ['VOLUME_MOVER_RETENTION_EVERY_S', '0'],
  ['VOLUME_MOVER_RETENTION_EVERY_S', '3601'],
  ['VOLUME_MOVER_RETENTION_EVERY_S', '1.5'],
  ['VOLUME_MOVER_VERDICT_KEPT_S', '0'],
  ['VOLUME_MOVER_VERDICT_KEPT_S', '31622401'],
  ['VOLUME_MOVER_VERDICT_KEPT_S', 'a day'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readReplicaSiteLimits({ [name]: value })).toThrow(name);
});
