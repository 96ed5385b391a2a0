// A disk that is new here may be all that is left of a lost folder: no guest uses it before the
// replica site took it, or a person vouched for it. What only a person can decide holds over
// restarts, whoever is away.
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceDecision } from '../../contracts/repair.js';
import { openRowStore } from '../../simulator/store/row-store.js';
import {
  describe,
  quiet,
  type Running,
  SIZE_BYTES,
  SplitterWorld,
  type StartOptions,
  until,
  V1,
} from '../integration/splitter-fixture.js';

const BLOCK = 4 * 1024;
const ONES = Buffer.alloc(BLOCK, 1);
/** No wait: what is not proven is refused at once. */
const AT_ONCE: StartOptions = { limits: { proofWaitMs: 0 } };
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

async function stateOf(running: Running): Promise<string> {
  return (await describe(running, V1)).source.state;
}

async function expectRefused(running: Running): Promise<void> {
  const guest = await running.open(V1);
  await expect(guest.read(0, BLOCK)).rejects.toThrow('EIO');
  await expect(guest.write(0, ONES)).rejects.toThrow('EIO');
  await guest.disconnect();
}

async function decide(running: Running, decision: SourceDecision): Promise<void> {
  await running.control.decideSource({ volume: V1, decision });
}

async function reachesState(running: Running, state: string): Promise<void> {
  await until(async () => (await stateOf(running)) === state, `the source is ${state}`);
}

/** A splitter whose volume was written and replicated, stopped. */
async function replicated(): Promise<void> {
  const splitter = await world.splitter();
  await (await splitter.open(V1)).write(0, ONES);
  await quiet(splitter, V1);
  await splitter.stop();
}

function awayAppliance(): { readonly comesBack: () => Promise<unknown>; readonly goes: () => Promise<void> } {
  const { port } = world.first;
  return { goes: async () => world.first.stop(), comesBack: async () => world.first.start(port) };
}

test('a guest that comes before the replica site waits, and then just works', async () => {
  const { goes, comesBack } = awayAppliance();
  await goes();
  const splitter = await world.splitter();
  expect(await stateOf(splitter)).toBe('unproven');
  const guest = await splitter.open(V1);
  const written = guest.write(0, ONES);
  const read = guest.read(BLOCK, BLOCK);
  await comesBack();
  await written;
  expect((await read).equals(Buffer.alloc(BLOCK))).toBe(true);
  expect((await guest.read(0, BLOCK)).equals(ONES)).toBe(true);
  await quiet(splitter, V1);
  expect(await describe(splitter, V1)).toMatchObject({ source: { state: 'present' }, notes: [] });
});

test('while nobody answers, a new disk is refused to guests, at every start; once it was taken, nobody is asked again', async () => {
  const { goes, comesBack } = awayAppliance();
  await goes();
  for (let start = 0; start < 2; start += 1) {
    const splitter = await world.splitter(AT_ONCE);
    expect(await stateOf(splitter)).toBe('unproven');
    await expectRefused(splitter);
    const { notes } = await splitter.control.health({});
    expect(notes.join('\n')).toContain('volume-mover source accept-blank v1');
    await expect(splitter.control.resync({ volume: V1 })).rejects.toMatchObject({ code: 'SOURCE_UNPROVEN' });
    await expect(decide(splitter, 'recover')).rejects.toMatchObject({ code: 'SOURCE_DECISION_REFUSED' });
    await expect(decide(splitter, 'accept')).rejects.toMatchObject({ code: 'SOURCE_DECISION_REFUSED' });
    await splitter.stop();
  }
  await comesBack();
  await replicated();
  await goes();
  const later = await world.splitter(AT_ONCE);
  expect((await (await later.open(V1)).read(0, BLOCK)).equals(ONES)).toBe(true);
  await comesBack();
});

test('a person may vouch for a new disk: guests are served, and a replica of another disk is kept all the same', async () => {
  const { goes, comesBack } = awayAppliance();
  await goes();
  const splitter = await world.splitter(AT_ONCE);
  await decide(splitter, 'accept-blank');
  const guest = await splitter.open(V1);
  await guest.write(0, ONES);
  await guest.disconnect();
  await splitter.stop();
  const again = await world.splitter(AT_ONCE);
  expect((await (await again.open(V1)).read(0, BLOCK)).equals(ONES)).toBe(true);
  world.first.refusal = 'FOREIGN_SOURCE';
  await comesBack();
  await reachesState(again, 'foreign');
  await expectRefused(again);
  expect(world.site.records(V1)).toEqual([]);
});

test('a foreign disk stays refused after a restart with the replica site away', async () => {
  const { goes, comesBack } = awayAppliance();
  world.first.refusal = 'FOREIGN_SOURCE';
  const splitter = await world.splitter(AT_ONCE);
  await reachesState(splitter, 'foreign');
  await splitter.stop();
  await goes();
  for (let start = 0; start < 2; start += 1) {
    const later = await world.splitter(AT_ONCE);
    expect(await stateOf(later)).toBe('foreign');
    await expectRefused(later);
    await later.stop();
  }
  world.first.refusal = undefined;
  await comesBack();
  const last = await world.splitter();
  await until(() => world.first.attached.has(V1), 'it is attached');
  // Whatever is answered now: a person was asked, and a person decides.
  await expectRefused(last);
  await decide(last, 'accept-blank');
  await (await last.open(V1)).write(0, ONES);
  await quiet(last, V1);
});

test('a disk that a person put there before the first start is served once it is taken, and sent whole', async () => {
  const path = world.path(V1, 'img');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.alloc(SIZE_BYTES, 7));
  const { goes, comesBack } = awayAppliance();
  await goes();
  const splitter = await world.splitter(AT_ONCE);
  await expectRefused(splitter);
  await expect(decide(splitter, 'accept-blank')).rejects.toMatchObject({ code: 'SOURCE_DECISION_REFUSED' });
  await comesBack();
  await quiet(splitter, V1);
  expect((await (await splitter.open(V1)).read(0, BLOCK)).equals(Buffer.alloc(BLOCK, 7))).toBe(true);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a row of before there were proofs counts, if a write of it was confirmed', async () => {
  await replicated();
  const store = openRowStore({ directory: join(world.dataFolder, 'store'), tables: ['volumes', 'meta', 'confirmed'] });
  const { proven, ...row } = new Map(store.rows('volumes')).get(V1) as Record<string, unknown>;
  expect(proven).toBe(true);
  expect(new Map(store.rows('confirmed')).has(V1)).toBe(true);
  store.commit([{ table: 'volumes', key: V1, value: row }]);
  await store.close();
  const { goes, comesBack } = awayAppliance();
  await goes();
  const splitter = await world.splitter(AT_ONCE);
  expect((await (await splitter.open(V1)).read(0, BLOCK)).equals(ONES)).toBe(true);
  await comesBack();
});

test('a disk that is gone after its first writes is missed, though none of them was ever confirmed', async () => {
  const before = await world.splitter();
  await quiet(before, V1);
  await before.stop();
  const { goes, comesBack } = awayAppliance();
  await goes();
  const splitter = await world.splitterProcess();
  const guest = await splitter.open(V1);
  await guest.write(0, ONES);
  // What is noted of the file is stored before later requests are answered.
  await describe(splitter, V1);
  await splitter.kill();
  rmSync(join(world.dataFolder, 'volumes'), { recursive: true });
  const again = await world.splitter(AT_ONCE);
  expect(await stateOf(again)).toBe('missing');
  await expectRefused(again);
  await comesBack();
});

test('a disk that was found missing stays refused when another file lies in its place; its very own file is taken back', async () => {
  await replicated();
  const path = world.path(V1, 'img');
  renameSync(path, `${path}.away`);
  const splitter = await world.splitter();
  expect(await stateOf(splitter)).toBe('missing');
  await splitter.stop();
  copyFileSync(`${path}.away`, path);
  const again = await world.splitter();
  expect(await stateOf(again)).toBe('missing');
  await expectRefused(again);
  await again.stop();
  rmSync(path);
  renameSync(`${path}.away`, path);
  const last = await world.splitter();
  expect(await stateOf(last)).toBe('present');
  expect((await (await last.open(V1)).read(0, BLOCK)).equals(ONES)).toBe(true);
  await quiet(last, V1);
});

test('a copy that a person puts in the place of a missing disk is compared once it is accepted', async () => {
  await replicated();
  const path = world.path(V1, 'img');
  renameSync(path, `${path}.away`);
  const splitter = await world.splitter();
  expect(await stateOf(splitter)).toBe('missing');
  copyFileSync(`${path}.away`, path);
  await decide(splitter, 'accept');
  expect((await (await splitter.open(V1)).read(0, BLOCK)).equals(ONES)).toBe(true);
  await splitter.stop();
  const again = await world.splitter();
  expect(await stateOf(again)).toBe('present');
});
