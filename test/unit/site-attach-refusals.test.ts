// What a splitter's log says when the replica site refuses a volume, or takes its history for
// another one: each sentence names the volume, what both ends know, and what to type next.
import { beforeEach, describe, expect, test } from 'vitest';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import { attach, type Claim, hear, type Hearing } from '../../simulator/replica-site/core/attach.js';
import { retireVolume } from '../../simulator/replica-site/core/lifecycle.js';
import { admit } from '../../simulator/replica-site/core/records.js';
import { claimOf, LINEAGE, lifeOf } from '../support/identities.js';
import { momentAt } from '../support/moment.js';
import { G1, G2, LEASE_MS, ref, SIZE_BYTES, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const OTHER_LINEAGE = lineageIdSchema.parse('a'.repeat(32));
const OTHER_SOURCE = sourceIdSchema.parse('b'.repeat(32));
const NOBODY = volumeIdSchema.parse('v9');
const NOW = momentAt(0);
let site: SiteUnderTest;

beforeEach(() => {
  site = new SiteUnderTest();
  site.attach();
  site.writes(1, 10);
});

function heard(claim: Partial<Claim> = {}, volume = V1, now = NOW): Hearing {
  const whole = claimOf({ session: 2, epoch: 1, sizeBytes: SIZE_BYTES, ...claim }, claim.group ?? G1);
  return hear(site.state, volume, whole, now);
}

describe('a claim is refused', () => {
  test.each<[why: string, claim: Partial<Claim>, code: string, message: string]>([
    [
      'for a smaller size',
      { sizeBytes: SIZE_BYTES - 512 },
      'INVALID_REQUEST',
      'Volume "v1" has 1048576 bytes at the replica site, not 1048064. Make its disk as large again: volume-mover volume grow v1 --size 1MiB',
    ],
    [
      'for a larger size of another disk',
      { sizeBytes: SIZE_BYTES + 512, source: OTHER_SOURCE },
      'INVALID_REQUEST',
      'Volume "v1" has 1048576 bytes at the replica site, not 1049088. If the larger disk is right: volume-mover volume grow v1 --size 1.00048828125MiB',
    ],
    [
      'for another disk',
      { source: OTHER_SOURCE },
      'FOREIGN_SOURCE',
      'The disk that the splitter offers for volume "v1" is not the one that its replica was made from. The replica is kept as it is, and nothing is taken from this disk.',
    ],
    [
      'for another group at one epoch',
      { group: G2 },
      'NOT_OWNER',
      'At epoch 1 volume "v1" is in group "g1" here, and in group "g2" at its splitter.',
    ],
    [
      'for a group that is not here',
      { epoch: 2, group: groupIdSchema.parse('g9') },
      'GROUP_NOT_FOUND',
      'The splitter knows volume "v1" in group "g9", which the replica site does not have.',
    ],
    [
      'for a session of another life',
      { session: 1, life: lifeOf(7) },
      'STALE_SESSION',
      'Volume "v1" is at session 1 of another life; session 1 is refused.',
    ],
  ])('%s', (_why, claim, code, message) => {
    expect(heard(claim)).toMatchObject({ kind: 'refuse', code, message });
  });

  test('for an epoch that is over, with the owner as advice', () => {
    heard({ epoch: 3, group: G2 });
    expect(heard({ epoch: 2 })).toEqual({
      kind: 'refuse',
      code: 'EPOCH_MISMATCH',
      message: 'Volume "v1" is at epoch 3 in group "g2"; epoch 2 is refused.',
      advice: { owner: { group: G2, appliance: 'a1', epoch: 3 } },
    });
  });

  test('for a volume that is retired, or not here', () => {
    expect(heard({}, NOBODY)).toMatchObject({
      code: 'VOLUME_NOT_FOUND',
      message: 'There is no volume "v9" at the replica site.',
    });
    retireVolume(site.state, { volume: V1, dryRun: false }, NOW);
    expect(heard()).toMatchObject({
      code: 'VOLUME_RETIRED',
      message: 'Volume "v1" is retired: nothing of it is accepted any more. Its recovery points are kept.',
    });
  });
});

describe('a claim is heard', () => {
  test('with a larger size than was accepted from the very disk that the replica is made from', () => {
    expect(heard({ sizeBytes: 2 * SIZE_BYTES }).kind).toBe('newSession');
  });

  test('with the same session of the same life as often as it comes', () => {
    expect([heard({ session: 1 }), heard({ session: 1 })]).toEqual([{ kind: 'sameSession' }, { kind: 'sameSession' }]);
  });
});

describe('a history is forked, and the reason says what both ends know', () => {
  test.each<[why: string, confirmed: Claim['confirmed'], reason: string]>([
    [
      'another lineage was confirmed',
      { lineage: OTHER_LINEAGE, position: 5 },
      'the replica site has another history of volume "v1" (at position 10) than the splitter confirmed (up to 5)',
    ],
    [
      'more was confirmed than is here',
      { lineage: LINEAGE, position: 11 },
      'the replica site has volume "v1" up to position 10 only, and had confirmed 11',
    ],
    [
      'another life sent what was confirmed',
      { lineage: LINEAGE, position: 5, life: lifeOf(9) },
      'the replica site has another history of volume "v1" (at position 10) than the splitter confirmed (up to 5): the record there came from another life of the splitter',
    ],
  ])('%s', (_why, confirmed, reason) => {
    expect(heard({ confirmed })).toEqual({ kind: 'fork', reason });
  });

  test('also to a splitter that confirmed nothing, where the history here was replaced', () => {
    site.lineages.fork(V1);
    expect(heard({ confirmed: undefined })).toEqual({
      kind: 'fork',
      reason:
        'the replica site can\'t vouch for all that it has of volume "v1", which must be compared; its history goes on at position 10',
    });
    // Of a volume without any record there is nothing to compare.
    site.attach(V2);
    site.lineages.fork(V2);
    expect(heard({ confirmed: undefined }, V2).kind).toBe('newSession');
  });
});

describe('a volume that is attached', () => {
  const attached = (claim: Partial<Claim>) => {
    const whole = claimOf({ session: 2, epoch: 1, sizeBytes: SIZE_BYTES, ...claim });
    return attach(site.state, V1, whole);
  };

  test('hears from where its session counts, and which life was there before', () => {
    expect(attached({})).toEqual({
      kind: 'attached',
      session: 2,
      n: 0,
      lineage: LINEAGE,
      base: 10,
      former: lifeOf(1),
    });
    site.writes(1, 3, V1, 2);
    expect(attached({})).toMatchObject({ n: 3, base: 10, former: lifeOf(2) });
  });

  test('again as it was changes no row; of another disk, life or lineage it does', () => {
    attached({});
    site.state.settle();
    attached({});
    expect(site.state.changes()).toEqual([]);
    for (const changes of [{ source: OTHER_SOURCE }, { life: lifeOf(9), source: OTHER_SOURCE }]) {
      attached(changes);
      expect(site.state.volume(V1)).toMatchObject(changes);
    }
    site.lineages.fork(V1);
    attached({});
    expect(site.state.volume(V1).lineage).toBe(site.lineages.lineage(V1));
  });
});

describe('an attempt that a claim ends keeps the reason', () => {
  const reason = (): string | undefined => site.state.attempt(ref(1))?.reason;

  test('that its lease ran out', () => {
    const ticket = site.open(1).contents?.ticket ?? 0;
    heard({ ticket }, V1, momentAt(LEASE_MS));
    expect(reason()).toBe('its lease ran out, and volume "v1" was attached anew');
  });

  test('that its splitter knows a newer attempt', () => {
    const ticket = site.open(1).contents?.ticket ?? 0;
    heard({ ticket: ticket + 1 });
    expect(reason()).toBe('the splitter of volume "v1" knows a newer attempt');
  });

  test('that its splitter learned the verdict', () => {
    const ticket = site.open(1).contents?.ticket ?? 0;
    heard({ ticket, decided: { attempt: { ...ref(1), ticket }, verdict: 'ABORTED' } });
    expect(reason()).toBe('its verdict was learned by the splitter of volume "v1"');
  });

  test('that the history was forked', () => {
    site.open(1);
    site.claim(V1, { session: 2, confirmed: { lineage: LINEAGE, position: 11 } });
    expect(reason()).toBe(
      'the history of volume "v1" was forked: the replica site has volume "v1" up to position 10 only, and had confirmed 11',
    );
  });
});

test.each([
  ['of another epoch', { session: 1, n: 11, epoch: 2 }, 'Volume "v1" is at epoch 1; epoch 2 is refused.'],
  ['of a session that is over', { session: 0, n: 11, epoch: 1 }, 'Volume "v1" is at session 1; session 0 is refused.'],
  ['of a session that did not attach', { session: 2, n: 1, epoch: 1 }, 'Session 2 of volume "v1" has not attached.'],
  ['after one that did not come', { session: 1, n: 12, epoch: 1 }, 'Write 12 of volume "v1" came after 10.'],
])('a record %s is refused, and says so', (_what, head, message) => {
  expect(admit(site.state, V1, head)).toMatchObject({ kind: 'refuse', message });
});
