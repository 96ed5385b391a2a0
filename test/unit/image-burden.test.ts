// What open images cost the replica site: what counts, what is warned about, and who has to go.
import { describe, expect, test } from 'vitest';
import type { PointId, VolumeId } from '../../contracts/ids.js';
import { aloneBytes, type Burdening, burdenOf, type UndoCosts } from '../../simulator/replica-site/image-burden.js';
import { pointIdOf } from '../../simulator/replica-site/core/rows.js';
import { G1, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const DAY_MS = 24 * 3_600_000;

interface ImageOf {
  readonly position: number;
  readonly volume?: VolumeId;
  readonly point?: PointId;
  readonly openedAtMs?: number;
  readonly ranges?: number;
}

function image(id: string, { position, volume = V1, point, openedAtMs = 0, ranges = 0 }: ImageOf): Burdening {
  return { id, volume, point, openedAtMs, image: { position, changedRanges: { count: ranges, bytes: ranges } } };
}

const evicted = ({ evict }: ReturnType<typeof burdenOf>): string[] => evict.map(({ id }) => id);

describe('of what images keep and remember', () => {
  const alone = new Map([[V1, new Map([[5, 600] as const, [9, 300] as const])]]);

  test('nothing is said far below the limits, a warning near them', () => {
    const open = [image('a', { position: 5 }), image('b', { position: 9 })];
    expect(burdenOf(open, alone, { imagesKeepBytesMax: 10_000 })).toEqual({ evict: [], warnings: [] });
    expect(burdenOf(open, alone, { imagesKeepBytesMax: 1_000 })).toEqual({
      evict: [],
      warnings: [expect.stringMatching(/^900 bytes of UNDO .* 1000 the oldest/)],
    });
  });

  test('the one that was opened first goes, of those that keep something, until the rest fits', () => {
    const open = [
      image('young', { position: 5, openedAtMs: 3 }),
      image('harmless', { position: 7, openedAtMs: 0 }),
      image('old', { position: 9, openedAtMs: 1 }),
    ];
    expect(evicted(burdenOf(open, alone, { imagesKeepBytesMax: 700 }))).toEqual(['old']);
    expect(evicted(burdenOf(open, alone, { imagesKeepBytesMax: 100 }))).toEqual(['old', 'young']);
  });

  test('images at one position keep its history together: it counts once, and goes when the last of them does', () => {
    const open = [image('a', { position: 5, openedAtMs: 1 }), image('b', { position: 5, openedAtMs: 2 })];
    expect(evicted(burdenOf(open, alone, { imagesKeepBytesMax: 600 }))).toEqual([]);
    expect(evicted(burdenOf(open, alone, { imagesKeepBytesMax: 599 }))).toEqual(['a', 'b']);
  });

  test('memory for changed ranges has a limit of its own', () => {
    const open = [image('a', { position: 1, ranges: 80 }), image('b', { position: 2, ranges: 70, openedAtMs: 1 })];
    expect(evicted(burdenOf(open, new Map(), { imagesRangesMax: 100 }))).toEqual(['a']);
    expect(burdenOf(open, new Map(), { imagesRangesMax: 160 }).warnings).toHaveLength(1);
  });
});

describe('kept for images alone', () => {
  /** Each position costs ten times itself. */
  const journal: UndoCosts = {
    applied: { position: 100, session: 1, n: 100 },
    failure: undefined,
    undoBytesAfter: async (positions) => positions.map((position) => position * 10),
  };
  const journals = { open: new Map([[V1, journal]]) };
  const failing = (): never => {
    throw new Error('no journal fails here');
  };

  function siteWithPoints(points: readonly { readonly position: number; readonly ageMs: number }[]): SiteUnderTest {
    const site = new SiteUnderTest();
    for (const [i, { position, ageMs }] of points.entries()) {
      const id = pointIdOf(i + 1);
      const members = [{ volume: V1, position, epoch: 1 }];
      const point = { id, group: G1, kind: 'periodic' as const, atMs: Date.now() - ageMs, members, leftOut: [] };
      site.state.points.put(id, { point, provisionalMarks: {} });
    }
    return site;
  }

  test('is what the policy would have dropped, and what no point names', async () => {
    const { state } = siteWithPoints([
      { position: 10, ageMs: 60 * DAY_MS },
      { position: 20, ageMs: 1_000 },
      { position: 30, ageMs: 0 },
    ]);
    const open = [
      image('of an old point', { position: 10, point: pointIdOf(1) }),
      image('of a point that stays', { position: 20, point: pointIdOf(2) }),
      image('of no point', { position: 25 }),
    ];
    expect(await aloneBytes(open, state, Date.now(), journals, failing)).toEqual(
      new Map([[V1, new Map([[10, 100] as const, [25, 250] as const])]]),
    );
  });

  test('is also a point that stays in the way of a full journal', async () => {
    const { state } = siteWithPoints([
      { position: 20, ageMs: 1_000 },
      { position: 30, ageMs: 0 },
    ]);
    const group = state.group(G1);
    const bytes = group.retention.journalBytesMax + 1;
    state.groups.put(G1, { ...group, journal: { ...group.journal, bytes } });
    const open = [image('a', { position: 20, point: pointIdOf(1) })];
    expect((await aloneBytes(open, state, Date.now(), journals, failing)).get(V1)).toEqual(new Map([[20, 200]]));
  });

  test('of a volume whose journal fails is not known, and hides no other', async () => {
    const { state } = siteWithPoints([]);
    const broken: UndoCosts = {
      ...journal,
      undoBytesAfter: async () => Promise.reject(new Error('cannot read')),
    };
    const failed: VolumeId[] = [];
    const both = { open: new Map([...journals.open, [V2, broken] as const]) };
    const open = [image('a', { position: 5, volume: V2 }), image('b', { position: 5 })];
    const alone = await aloneBytes(open, state, Date.now(), both, (volume) => failed.push(volume));
    expect([...alone.keys()]).toEqual([V1]);
    expect(failed).toEqual([V2]);
  });
});
