// `doctor` and `move --take-over` on an estate of real processes and a real Temporal server.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import { lastOf } from '../support/last-of.js';
import { CommandEstate } from '../support/command-estate.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, untilTrue } from '../support/until.js';

let estate: CommandEstate;
beforeAll(async () => {
  estate = await CommandEstate.start();
});
afterAll(async () => estate.stop());

/** A move that stood by, announced to its splitter, and was terminated. */
async function terminated(volume: string): Promise<string> {
  const started = await estate.cli('move', volume, '--to', 'cg-silver', '--manual', '--no-wait', '--json');
  const { moveId, workflowId } = JSON.parse(started.stdout) as { moveId: string; workflowId: string };
  const isReady = async (): Promise<boolean> =>
    (await estate.estate.client.moves.get(moveId)).progress?.stage === 'ready';
  await untilTrue(`move ${moveId} is ready`, PATIENCE_MS, isReady, COSTLY_POLL_INTERVAL_MS);
  await estate.estate.temporal.workflow.getHandle(workflowId).terminate('one click too many');
  return moveId;
}

test('nothing is found in an estate that is in order', async () => {
  const { exitCode, stdout } = await estate.cli('doctor');
  expect({ exitCode, stdout }).toEqual({
    exitCode: EXIT.ok,
    stdout: 'Nothing is left behind, and nothing differs.\n',
  });
});

test('what a terminated move left is shown, ended by --fix, and then gone', async () => {
  const moveId = await terminated('a');
  const dry = await estate.cli('doctor');
  expect(dry.exitCode).toBe(EXIT.failed);
  expect(dry.stdout).toMatch(/^FOUND +HELD BY +SINCE +BLOCKS +WHAT IS DONE$/m);
  expect(dry.stdout).toMatch(/^open attempt 1: a, cg-gold → cg-silver +.*@.* \(terminated\) .*It is aborted/m);
  expect(dry.stdout).toMatch(/^notice of a at host-1 /m);
  expect(dry.stdout).toContain('Nothing was changed. To end what is left of moves: volume-mover doctor --fix');

  const fixed = await estate.cli('doctor', '--fix', '--reason', 'a drill', '--json');
  expect(fixed.exitCode).toBe(EXIT.ok);
  expect(JSON.parse(fixed.stdout)).toMatchObject({
    fix: true,
    ok: true,
    findings: [],
    settled: [{ move: moveId, attempt: 1, verdict: 'ABORTED', left: [] }],
  });
  expect((await estate.cli('doctor', '--fix')).stdout).toBe('Nothing is left behind, and nothing differs.\n');
  const report = await estate.cli('report', moveId);
  expect(report.exitCode).toBe(EXIT.ok);
  expect(report.stdout).toContain(`Move ${moveId}: terminated`);
  expect(report.stdout).toContain('asked for by ann');
  expect(report.stdout).toMatch(
    /The workflow of the move was terminated by \S+ \(one click too many\)\. Aborted: a stays/,
  );
  expect(report.stdout).toContain("record: the move's workflow was terminated; cleaned up by ann: a drill");
});

test('a move takes over from one that was terminated, and not from one that runs', async () => {
  const moveId = await terminated('b');
  const refused = await estate.cli('move', 'b', '--to', 'cg-silver');
  expect(refused.exitCode).toBe(EXIT.refused);
  expect(refused.stderr).toContain(`is being moved by ${moveId}`);
  expect(refused.stderr).toMatch(
    /lets go by itself when its lease ends, in \d+ s; --take-over does not wait for that\./,
  );
  const { stdout: plan } = await estate.cli('plan', 'b', '--to', 'cg-silver');
  expect(plan).toMatch(/is being moved by \S+; if that move no longer runs, for [\d.]+ (s|min .*) more/);
  const taken = await estate.cli('move', 'b', '--to', 'cg-silver', '--take-over');
  expect(taken.stderr).toContain(`Attempt 1 of move ${moveId}: Aborted: b stays in cg-gold, with all recovery points.`);
  expect(taken.exitCode).toBe(EXIT.ok);
  expect(await estate.groupsOf('b')).toEqual(['cg-silver']);

  await estate.cli('move', 'c', '--to', 'cg-silver', '--manual', '--no-wait', '--workflow-id', 'holder');
  const isReady = async (): Promise<boolean> =>
    (await estate.estate.client.moves.get('holder')).progress?.stage === 'ready';
  await untilTrue('the holder is ready', PATIENCE_MS, isReady, COSTLY_POLL_INTERVAL_MS);
  const busy = await estate.cli('move', 'c', '--to', 'cg-silver', '--take-over');
  expect(busy.exitCode).toBe(EXIT.refused);
  expect(busy.stderr).toMatch(/The move cannot take over: move holder@\S+ still runs\./);
  expect((await estate.cli('doctor')).stdout).toContain('Left alone: 1 running move.');
  expect((await estate.cli('abort', 'holder', '--reason', 'enough')).exitCode).toBe(EXIT.ok);
});

test('a step that waits for what passes by itself says so while it is tried again', async () => {
  const { estate: under } = estate;
  await under.appliance('appliance-1').calls.setLink({ cut: true });
  await estate.cli('move', 'd', '--to', 'cg-silver', '--no-wait', '--workflow-id', 'patient');
  const says = /^ {2}notify is tried again, at 2\S+Z, after \d+ failures?: The link to the replica site was cut/m;
  const isSaid = async (): Promise<boolean> => says.test((await estate.cli('status', 'patient')).stdout);
  await untilTrue('a status that says why', PATIENCE_MS, isSaid, COSTLY_POLL_INTERVAL_MS);
  await under.appliance('appliance-1').calls.setLink({ cut: false });
  const last = await lastOf(under.client.moves.follow('patient'));
  expect(last).toMatchObject({ state: 'moved' });
  expect(last).not.toHaveProperty('retrying');
});
