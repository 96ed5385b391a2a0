// A volume's size at each position: what a growth changes at the site, and what an attachment may
// claim.
import { expect, test } from 'vitest';
import { sourceIdSchema } from '../../contracts/lineage.js';
import { hear } from '../../simulator/replica-site/core/attach.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import { acceptedSize, sizeAt } from '../../simulator/replica-site/core/sizes.js';
import { claimOf } from '../support/identities.js';
import { codeOf, SIZE_BYTES, SiteUnderTest, V1 } from './site-core-fixture.js';

const NOW = { wallMs: 1_000, monotonicMs: 0, ageMs: 1_000 };
const OTHER_DISK = sourceIdSchema.parse('9'.repeat(32));
const grow = (site: SiteUnderTest, sizeMiB: number, dryRun = false) =>
  lifecycle.growVolume(site.state, { volume: V1, sizeMiB, dryRun }, NOW);

test('an accepted size is in force from the attachment with it on, and earlier positions keep theirs', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 3);
  expect(grow(site, 2, true)).toEqual({ changed: true });
  expect(acceptedSize(site.state.volume(V1))).toBe(SIZE_BYTES);
  expect([grow(site, 2), grow(site, 2)]).toEqual([{ changed: true }, { changed: false }]);
  const row = () => site.state.volume(V1);
  expect([row().sizeBytes, acceptedSize(row())]).toEqual([SIZE_BYTES, 2 * SIZE_BYTES]);
  // The splitter may attach with either size until it has grown.
  expect(site.claim(V1, { sizeBytes: SIZE_BYTES })).toBe('after 3');
  expect(site.claim(V1, { sizeBytes: 2 * SIZE_BYTES })).toBe('after 3');
  site.writes(4, 4);
  expect([3, 4].map((position) => sizeAt(row(), position))).toEqual([SIZE_BYTES, 2 * SIZE_BYTES]);
  expect(row().acceptedBytes).toBeUndefined();
  expect(site.claim(V1, { sizeBytes: SIZE_BYTES })).toBe('INVALID_REQUEST');
  expect(grow(site, 3)).toEqual({ changed: true });
  expect(site.claim(V1, { sizeBytes: 3 * SIZE_BYTES })).toBe('after 4');
  expect([0, 3, 4, 5].map((position) => sizeAt(row(), position) / SIZE_BYTES)).toEqual([1, 1, 2, 3]);
});

test('a second order before the splitter has followed the first one stays accepted', () => {
  const site = new SiteUnderTest();
  site.attach();
  grow(site, 2);
  grow(site, 4);
  expect(site.claim(V1, { sizeBytes: 2 * SIZE_BYTES })).toBe('after 0');
  expect([site.state.volume(V1).sizeBytes, acceptedSize(site.state.volume(V1))]).toEqual([
    2 * SIZE_BYTES,
    4 * SIZE_BYTES,
  ]);
});

test('a size that nobody accepted is taken from the replicated disk alone', () => {
  const site = new SiteUnderTest();
  expect(hear(site.state, V1, claimOf({ session: 1, epoch: 1, sizeBytes: 2 * SIZE_BYTES }), NOW)).toMatchObject({
    code: 'INVALID_REQUEST',
    message: expect.stringMatching(/larger disk is right: volume-mover volume grow v1 --size 2MiB$/) as string,
  });
  site.attach();
  expect(site.claim(V1, { sizeBytes: 2 * SIZE_BYTES, source: OTHER_DISK, replaces: true })).toBe('INVALID_REQUEST');
  expect(site.claim(V1, { sizeBytes: 2 * SIZE_BYTES })).toBe('after 0');
  expect(site.state.volume(V1).sizeBytes).toBe(2 * SIZE_BYTES);
});

test('no volume is made smaller, nor larger while it moves or once it is retired', () => {
  const site = new SiteUnderTest();
  site.attach();
  grow(site, 4);
  expect(() => grow(site, 2)).toThrow('has 4 MiB at the replica site, and cannot be made smaller');
  site.open(1);
  expect(() => grow(site, 8)).toThrow('volume "v1" is being moved by m1');
  const other = new SiteUnderTest();
  lifecycle.retireVolume(other.state, { volume: V1, dryRun: false }, NOW);
  expect(codeOf(() => grow(other, 1))).toBe('CHANGE_REFUSED');
});
