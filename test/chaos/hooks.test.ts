// Hooks around the fences of real moves: a frozen application is at the cut, and is thawed whatever
// comes of the fence.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { WORKER_ID } from '../../estate/launch.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { HOST, Testbed, VOLUME_AT } from './testbed.js';

const FENCE = '/v1/attempts/fence';
const VOLUME = VOLUME_AT.flush;
const folder = mkdtempSync(join(tmpdir(), 'vm-hooks-'));
const logFile = join(folder, 'log');
const vetoFile = join(folder, 'veto');
/** Freezes until its standard input ends, and refuses while there is a veto. */
const SCRIPT = `#!/bin/sh
[ -e ${vetoFile} ] && { echo "the backup runs"; exit 3; }
echo "froze $VOLUME_MOVER_HOOK_VOLUMES" >> ${logFile}
trap 'echo thawed >> ${logFile}' EXIT
echo frozen
cat
`;

let testbed: Testbed;
beforeAll(async () => {
  const script = join(folder, 'freeze.sh');
  const hooks = join(folder, 'hooks.json');
  writeFileSync(script, SCRIPT, { mode: 0o755 });
  const freeze = { name: 'freeze', on: 'before-fence', command: [script], freezes: true, timeoutMs: 30_000 };
  writeFileSync(hooks, JSON.stringify({ hooks: [freeze] }));
  testbed = await Testbed.start(inject('temporalAddress'), { environment: { VOLUME_MOVER_HOOKS: hooks } });
});
afterAll(async () => {
  await testbed.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  writeFileSync(logFile, '');
  rmSync(vetoFile, { force: true });
});

const logged = (): string[] => readFileSync(logFile, 'utf8').split('\n').slice(0, -1);

async function thawed(): Promise<void> {
  await untilTrue('what was frozen is thawed', PATIENCE_MS, async () => {
    const lines = logged();
    return lines.length > 0 && lines.filter((line) => line === 'thawed').length === lines.length / 2;
  });
}

async function leftBookmarks(): Promise<(true | undefined)[]> {
  const { points } = await testbed.estate.client.points.list({ volume: VOLUME });
  return points.filter(({ kind }) => kind === 'left').map(({ bookmark }) => bookmark?.applicationConsistent);
}

test('a frozen application is at the cut: the "left" bookmark says so, also after the next move', async () => {
  const there = await testbed.startFree(VOLUME);
  await testbed.expectMoved(there, await testbed.estate.reportOf(there));
  expect(logged()).toEqual([`froze ${VOLUME}`, 'thawed']);
  expect(await leftBookmarks()).toEqual([true]);
  const back = await testbed.startFree(VOLUME);
  await testbed.expectMoved(back, await testbed.estate.reportOf(back));
  expect(await leftBookmarks()).toEqual([true, true]);
  await testbed.expectNothingLost();
});

test('a veto ends the move before its fence, with what the hook said', async () => {
  writeFileSync(vetoFile, '');
  const move = await testbed.startFree(VOLUME);
  const failure = await testbed.failureOf(move);
  expect(failure).toMatchObject({ code: 'HOOK_VETO' });
  expect(failure.message).toContain('Hook "freeze" refuses the fence: exit code 3: the backup runs.');
  await testbed.expectAsBefore(move);
  expect(logged()).toEqual([]);
});

test('a worker killed while it freezes: everything is thawed, and the move completes with another one', async () => {
  const move = await testbed.startHeld(FENCE, VOLUME);
  await move.hold.reached();
  expect(logged()).toEqual([`froze ${VOLUME}`]);
  await testbed.estate.process(WORKER_ID).kill();
  await thawed();
  move.hold.release();
  await testbed.estate.process(WORKER_ID).start();
  await testbed.expectMoved(move, await testbed.estate.reportOf(move));
  await thawed();
});

test('a move cancelled while it freezes: everything is thawed and as before', async () => {
  const move = await testbed.startHeld(FENCE, VOLUME);
  await move.hold.reached();
  await testbed.estate.client.moves.cancel(move.moveId);
  await thawed();
  move.hold.release();
  await testbed.failureOf(move);
  await testbed.expectAsBefore(move);
});

test('a splitter killed while it freezes: the fence fails, and everything is thawed', async () => {
  const move = await testbed.startHeld(FENCE, VOLUME);
  await move.hold.reached();
  await testbed.estate.process(HOST).kill();
  move.hold.release();
  await thawed();
  await testbed.estate.process(HOST).start();
  const report = await testbed.estate.reportOf(move);
  await testbed.expectMoved(move, report);
  await thawed();
  await testbed.expectNothingLost();
});
