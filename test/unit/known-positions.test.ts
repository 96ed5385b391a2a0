// How far each lineage went by the rows alone: what the journal is held against when it is opened.
import { expect, test } from 'vitest';
import { knownPositions } from '../../simulator/replica-site/core/known-positions.js';
import { addPoint } from '../../simulator/replica-site/core/points.js';
import { cut, G1, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

test('given points and owners, then the highest named position counts, but not one that still waits behind a fence', () => {
  const site = new SiteUnderTest();
  for (const volume of [V1, V2]) site.attach(volume);
  site.writes(1, 5);
  site.writes(1, 3, V2);
  const point = { group: G1, kind: 'periodic', atMs: 1_000, leftOut: [] } as const;
  addPoint(site.state, { ...point, cuts: [cut(4), cut(3, V2)] });
  addPoint(site.state, { ...point, cuts: [cut(2)] });
  expect([...knownPositions(site.state)]).toEqual([
    [V1, 4],
    [V2, 3],
  ]);

  site.open(1);
  const { members } = addPoint(site.state, { ...point, cuts: [{ ...cut(8), fencedBy: ref(1) }] });
  expect(members).toMatchObject([{ volume: V1, position: 8, provisional: ref(1) }]);
  expect(knownPositions(site.state).get(V1)).toBe(4);

  site.commit(ref(1));
  expect(knownPositions(site.state).get(V1)).toBe(5);
});
