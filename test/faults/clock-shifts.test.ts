// Wall clocks that jump, on real processes: nothing is dropped, nothing stops, and whoever looks is
// told.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import { ClockEstate, DAY_MS, GROUP, HOUR_MS, MINUTE_MS, PROCESSES, VOLUME } from './clock-estate.js';

/**
 * Points closed while a clock is wrong: five rounds of retention, which comes once a second here.
 */
const SOME_ROUNDS = 25;

let estate: ClockEstate;
beforeAll(async () => {
  estate = await ClockEstate.start();
  await estate.morePoints(3, ({ members }) => members.length === 1);
});
afterAll(async () => estate.stop());

async function recovered(
  name: string,
  ...words: string[]
): Promise<{ readonly fill: number; readonly stdout: string }> {
  const to = estate.path(name);
  const { exitCode, stdout, stderr } = await estate.cli('recover', VOLUME, '--to', to, ...words);
  expect(exitCode, stderr).toBe(EXIT.ok);
  return { fill: (await readFile(to))[0] ?? -1, stdout };
}

test('a month forward and back drops no point and no promised bookmark, and every process says that it happened', async () => {
  const promised = await estate.client.points.close({
    group: GROUP,
    bookmark: 'promised',
    keep: { forMs: 7 * DAY_MS },
  });
  const before = await estate.pointIds();
  expect(before).toContain(promised.id);

  await estate.setClocks(31 * DAY_MS);
  const during = await estate.morePoints(SOME_ROUNDS);
  expect(during.at(-1)?.atMs).toBeGreaterThan(Date.now() + 30 * DAY_MS);
  expect(during.at(-1)?.clock?.doubt?.jumpMs).toBeGreaterThan(30 * DAY_MS);
  for (const id of PROCESSES) await estate.untilNoted(id, /jumped by \+31 d/);
  expect((await estate.health('host-1')).clock?.wallMs).toBeGreaterThan(Date.now() + 30 * DAY_MS);
  // A new life of the site has nothing but the wall clock to go by.
  await estate.running.process('replica-site').restart('SIGKILL');
  await estate.morePoints(SOME_ROUNDS);
  await estate.setClocks(0);
  await estate.morePoints(SOME_ROUNDS);

  const after = await estate.pointIds();
  expect(after.slice(0, before.length)).toEqual(before);
  const kept = (await estate.points()).find(({ id }) => id === promised.id);
  expect(kept?.bookmark?.keep).toEqual(promised.bookmark?.keep);
});

test('ten minutes back: points go on at once, and the newest is what recover returns', async () => {
  await estate.setClocks(0);
  await estate.write(1);
  const [before] = (await estate.morePoints(2)).toReversed();
  await estate.setClocks(-10 * MINUTE_MS);
  await estate.write(2);
  const more = await estate.morePoints(SOME_ROUNDS);
  expect(more.at(-1)?.atMs).toBeLessThan(Date.now() - 9 * MINUTE_MS);
  expect(more.every(({ clock }) => clock?.doubt !== undefined)).toBe(true);
  for (const id of PROCESSES) await estate.untilNoted(id, /jumped by -10 min/);
  expect((await recovered('newest.img')).fill).toBe(2);

  // By the timeline as it was written: the last point with such a time, though earlier ones have
  // later times.
  const at = more[5]?.atMs ?? 0;
  const { fill, stdout } = await recovered('at.img', '--at', new Date(at).toISOString());
  expect(fill).toBe(2);
  expect(stdout).toContain('the last not later than');
  expect(stdout).toMatch(/jumped by .*may be wrong by that much/);
  expect((await recovered('before.img', '--point', before?.id ?? '')).fill).toBe(1);
  const listed = await estate.cli('points', GROUP, '--list');
  expect(listed.stdout).toMatch(/ \?  /);
  await estate.setClocks(0);
});

test('a host that is two hours ahead is told of by plan, the appliance and the points; what is to be kept for an hour is kept', async () => {
  const before = await estate.pointIds();
  await estate.setClocks(2 * HOUR_MS, ['host-1']);
  const more = await estate.morePoints(SOME_ROUNDS);
  expect(more.at(-1)?.clock?.doubt).toBeDefined();
  await estate.untilNoted('appliance-1', /The clock of splitter host-1 is 2 h ahead of that of appliance appliance-1/);
  const plan = await estate.client.moves.plan({ volume: VOLUME, to: 'cg-silver' });
  expect(plan).toMatchObject({ ok: true, reasons: [] });
  expect(plan.warnings?.join(' ')).toContain('The clock of splitter host-1 is 2 h ahead');
  expect((await estate.cli('plan', VOLUME, '--to', 'cg-silver')).stdout).toMatch(
    /^  ! clocks: .*The clock of splitter host-1 is 2 h ahead/m,
  );
  expect((await estate.pointIds()).slice(0, before.length)).toEqual(before);
  await estate.setClocks(0);
  await estate.untilNoted('appliance-1', /The clock of splitter host-1/, false);
});

test.each([
  ['2026-02-30', 'no date of the calendar'],
  ['1795428000', 'plain number'],
  ['Nov 28', 'is not a valid time'],
  [new Date(Date.now() + DAY_MS).toISOString(), 'in the future'],
])('--at %s is refused by every command that takes a time', async (at, why) => {
  for (const words of [
    ['recover', VOLUME, '--to', estate.path('never.img'), '--at', at],
    ['open', GROUP, '--at', at],
    ['points', GROUP, '--since', at],
    ['points', GROUP, '--until', at],
  ]) {
    const { exitCode, stderr } = await estate.cli(...words);
    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain(words.at(-2));
    expect(stderr).toContain(why);
    expect(stderr).toContain('2026-11-23T10:00:00Z');
  }
});
