// Stores of real processes on a disk that fails with EIO: what needs a change is refused, all else
// goes on, health names the folder, and it heals without a restart.
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  G1,
  refusal,
  type RunningAppliance,
  type RunningSite,
  S1,
  SiteWorld,
  until,
  V1,
} from '../integration/replica-site-fixture.js';
import { block, TestSplitter } from '../integration/test-splitter.js';
import { type FailingCall, FailingCalls } from '../support/failing-calls.js';

/** Changes that are tried: lmdb alone would refuse all after the first failed end of a commit. */
const TRIES = 20;
const WAIT_MS = 10_000;
const HOUR_MS = 3_600_000;
let world: SiteWorld;
let calls: FailingCalls;

beforeEach(() => {
  world = new SiteWorld();
  calls = new FailingCalls(world.folder);
});
afterEach(async () => world.stop());

async function notesOf({ control }: Pick<RunningSite, 'control'> | Pick<RunningAppliance, 'control'>): Promise<string> {
  return (await control.health({})).notes.join('\n');
}

async function closePoint({ control }: RunningSite) {
  const cuts = [{ volume: V1, session: 1, n: 1 }];
  return control.closePoint({ group: G1, kind: 'demand', atMs: Date.now(), cuts, leftOut: [], waitMs: WAIT_MS });
}

test.each<FailingCall>(['write', 'meta', 'sync'])(
  "a replica site's rows meet EIO at lmdb's %s: points wait, writes are taken in, and it heals",
  async (call) => {
    const site = await world.siteProcess({ ...calls.env, VOLUME_MOVER_SYNC: '1' });
    const splitter = await TestSplitter.connect(site.url, S1);
    await splitter.attach(1, V1);
    splitter.write(1, 1, 0, block(1));
    await splitter.confirmed(1, 1);
    const { id: point } = await closePoint(site);
    const bookmark = async (name: string) => refusal(site.control.markPoint({ point, name, keep: { forMs: HOUR_MS } }));
    calls.fail(call, 'rows/data.mdb');
    for (let n = 2; n <= TRIES; n += 1) {
      splitter.write(1, n, 0, block(n));
      expect(await bookmark(`b${n}`)).toBe('STORAGE_FAILED');
    }
    await splitter.confirmed(1, TRIES);
    expect(await notesOf(site)).toMatch(/can't be stored in \S+site\/rows since/);
    const statuses = async () =>
      Promise.all(['livez', 'readyz', 'healthz'].map(async (path) => (await fetch(`${site.url}/${path}`)).status));
    expect(await statuses()).toEqual([200, 503, 503]);
    calls.mend();
    await until(async () => (await bookmark('after')) === 'not refused', 'a bookmark is stored');
    expect(await notesOf(site)).not.toContain('site/rows');
    expect(await statuses()).toEqual([200, 200, 200]);
  },
);

test("a replica site whose reports can't be opened serves all else, says so, and opens them later", async () => {
  calls.fail('open', 'reports/data.mdb');
  const site = await world.siteProcess(calls.env);
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1));
  await splitter.confirmed(1, 1);
  await closePoint(site);
  const reports = async () => refusal(site.control.reports({}));
  expect(await reports()).toBe('STORAGE_FAILED');
  expect(await notesOf(site)).toMatch(/can't be stored in \S+site\/reports since/);
  calls.mend();
  await until(async () => (await reports()) === 'not refused', 'reports are served');
  expect(await notesOf(site)).not.toContain('site/reports');
});

test("an appliance's rows meet EIO: a pause is refused, streams go on, and it heals", async () => {
  const site = await world.siteProcess();
  const appliance = await world.applianceProcess('a1', calls.env);
  const pause = async () => refusal(appliance.control.pauseGroup({ group: G1 }));
  calls.fail('meta', 'a1/rows/data.mdb');
  for (let n = 1; n <= TRIES; n += 1) expect(await pause()).toBe('STORAGE_FAILED');
  const splitter = await TestSplitter.connect(appliance.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1));
  await splitter.confirmed(1, 1);
  expect(await notesOf(appliance)).toMatch(/can't be stored in \S+a1\/rows since/);
  expect(await notesOf(site)).not.toContain('rows');
  calls.mend();
  await until(
    async () => !(await notesOf(appliance)).includes('a1/rows'),
    'health tells of it no more, without a call',
  );
  expect(await pause()).toBe('not refused');
});
