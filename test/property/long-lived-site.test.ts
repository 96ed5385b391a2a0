// A site's rows and memory are bounded by what it retains, not by how many moves it has seen.
// VOLUME_MOVER_MOVES=1000000 runs as many moves as docs/reliability.md tells of.
import { expect, test } from 'vitest';
import { heldBytes } from '../support/held-memory.js';
import { LongLivedSite, type RowCounts } from './long-lived-site.js';

const MOVES = Number(process.env['VOLUME_MOVER_MOVES'] ?? 20_000);
const SHARES = 10;
/** Room for what the runtime itself keeps, bytes: a thousandth of a million records. */
const GROWTH_BYTES_MAX = 1024 * 1024;

interface Seen {
  readonly most: RowCounts;
  readonly bytes: number;
}

async function afterShare(site: LongLivedSite): Promise<Seen> {
  let most = site.rows;
  for (let done = 0; done < MOVES / SHARES; done += 1) {
    site.move();
    most = largest(most, site.rows);
  }
  return { most, bytes: await heldBytes() };
}

function largest(a: RowCounts, b: RowCounts): RowCounts {
  const larger = { ...a };
  for (const name of Object.keys(a) as (keyof RowCounts)[]) larger[name] = Math.max(a[name], b[name]);
  return larger;
}

test(
  `after ${MOVES} moves of the same volumes rows and memory are as after a tenth of them`,
  { timeout: 3_600_000 },
  async () => {
    const site = new LongLivedSite();
    const shares: Seen[] = [];
    for (let share = 0; share < SHARES; share += 1) shares.push(await afterShare(site));
    if (MOVES > 20_000)
      console.log(JSON.stringify({ moves: MOVES, forgotten: site.forgotten, refused: site.refused, shares }));
    const [, early] = shares;
    const late = shares.at(-1);
    if (early === undefined || late === undefined) throw new Error('too few shares');
    expect(late.most).toEqual(early.most);
    expect(late.bytes - early.bytes).toBeLessThan(GROWTH_BYTES_MAX);
    expect(site.forgotten).toBeGreaterThan(MOVES / 2);
    expect(site.refused).toBeGreaterThan(0);
  },
);

test('a site that forgets no attempt has a row more for each move', () => {
  const site = new LongLivedSite(false);
  for (let done = 0; done < 2_000; done += 1) site.move();
  expect(site.rows.attempts).toBe(2_000);
});
