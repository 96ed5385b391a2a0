// A wall clock that stays where it jumped to is believed after the configured while: history is not
// kept for ever.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PATIENCE_MS, until } from '../support/until.js';
import { ClockEstate, DAY_MS, GROUP, HOUR_MS } from './clock-estate.js';

const AGREES_S = 2;

let estate: ClockEstate;
beforeAll(async () => {
  estate = await ClockEstate.start({ agreesAfterS: AGREES_S, shiftsMs: { 'host-1': 2 * HOUR_MS } });
  await estate.morePoints(3);
});
afterAll(async () => estate.stop());

test('a host whose clock was wrong from the start is told of, and right again as soon as its clock is', async () => {
  const wrong = await estate.morePoints(1);
  expect(wrong[0]?.atMs).toBeGreaterThan(Date.now() + HOUR_MS);
  expect(wrong[0]?.clock?.doubt?.process).toBe(`the splitters of group ${GROUP}`);
  await estate.untilNoted('appliance-1', /splitter host-1 is 2 h ahead/);
  await estate.setClocks(0, ['host-1']);
  // The clock of the start does not count for ever: later points have right times.
  const right = await estate.morePoints(2, ({ clock }) => clock?.doubt === undefined);
  expect(Math.abs((right.at(-1)?.atMs ?? 0) - Date.now())).toBeLessThan(HOUR_MS);
  await estate.untilNoted('host-1', /jumped by/, false);
});

test('a month of downtime of the site is honoured once the clock has agreed for the configured while, and stops nothing', async () => {
  const promised = await estate.client.points.close({ group: GROUP, bookmark: 'a week', keep: { forMs: 7 * DAY_MS } });
  const forever = await estate.client.points.close({ group: GROUP, bookmark: 'for ever', keep: 'forever' });
  const before = await estate.pointIds();
  await estate.running.process('replica-site').kill();
  await estate.setClocks(31 * DAY_MS);
  await estate.running.process('replica-site').start();
  await until('the points of a month ago are dropped', PATIENCE_MS, async () => {
    const ids = await estate.pointIds();
    return ids.some((id) => id !== forever.id && before.includes(id)) ? undefined : true;
  });
  const ids = await estate.pointIds();
  expect(ids).toContain(forever.id);
  expect(ids).not.toContain(promised.id);
  for (const id of ['host-1', 'appliance-1'] as const) await estate.untilNoted(id, /jumped by/, false);
  // Points are closed on, and nobody doubts their times.
  await estate.morePoints(2, ({ clock }) => clock?.doubt === undefined);
});
