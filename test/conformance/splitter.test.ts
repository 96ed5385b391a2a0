// The splitter meets every clause of the vendors' kit, as a process that is killed and started.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../client/cli/program.js';
import { SPLITTER_CLAUSES } from '../../conformance/splitter/clauses.js';
import { PATIENCE_MS } from '../support/until.js';
import { KitWorld, VOLUME } from './splitter-fixture.js';

let world: KitWorld;
beforeEach(async () => {
  world = await KitWorld.make();
});
afterEach(async () => world.stop());

test('the splitter meets every clause, twice in a row, and through kill -9', async () => {
  await world.startProcess();
  const restart = async (): Promise<void> => {
    await world.end();
    await world.startProcess();
  };
  for (let run = 0; run < 2; run += 1) {
    const findings = await world.check({ patienceMs: PATIENCE_MS, restart });
    expect(findings.filter(({ result, clause }) => result !== 'pass' && clause !== 'S1.3')).toEqual([]);
    expect(findings.map(({ clause }) => clause)).toEqual(Object.keys(SPLITTER_CLAUSES));
  }
});

test('the command tells the findings as JSON and as JUnit, and refuses what is no test volume', async () => {
  await world.startProcess();
  const said = { stdout: '', stderr: '' };
  const command = async (...flags: string[]): Promise<number> => {
    said.stdout = '';
    said.stderr = '';
    const streams = {
      stdout: { write: (text: string) => (said.stdout += text) },
      stderr: { write: (text: string) => (said.stderr += text) },
    };
    return runCli(['conformance', 'splitter', '--url', world.url, ...flags], streams, {});
  };
  const junit = join(world.folder, 'findings.xml');
  const volume = ['--volume', `${VOLUME}=${world.disk}`];
  expect(await command(...volume, '--only', 'S1.1,S3.9,S5.1', '--json', '--junit', junit)).toBe(0);
  expect(JSON.parse(said.stdout)).toMatchObject({
    conformance: {
      passed: 2,
      failed: 0,
      skipped: 1,
      findings: [
        { clause: 'S1.1', volume: VOLUME, result: 'pass' },
        { clause: 'S3.9', volume: VOLUME, result: 'pass' },
        { clause: 'S5.1', volume: VOLUME, result: 'skip' },
      ],
    },
  });
  expect(readFileSync(junit, 'utf8')).toContain('name="S3.9 A repeated fence answers the same cut."/>');

  expect(await command()).toBe(2);
  expect(said.stderr).toContain('--volume');
  expect(await command(...volume, '--only', 'S9.9')).toBe(2);
  expect(await command('--volume', `other=${world.disk}`)).toBe(5);
  expect(said.stderr).toContain('has no volume "other". Nothing was changed.');
});
