// Clocks of several processes beside each other: what is too far apart is said, a slow answer is no
// skew.
import { afterEach, expect, test } from 'vitest';
import { ClockComparison } from '../../control/clock/compare-clocks.js';
import { workerClockWarnings } from '../../client/moves/worker-clock.js';
import { estateSchema } from '../../contracts/estate.js';
import { ClockSkews } from '../../simulator/appliance/clock-skews.js';
import { type HealthServer, startHealthServer } from '../../workers/health-server.js';
import { probesOf } from '../../workers/probes.js';
import { SettableClock } from '../support/settable-clock.js';
import { ESTATE } from './site-core-fixture.js';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 10, 28);

let server: HealthServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

function skews(): { clock: SettableClock; seen: ClockSkews } {
  const clock = new SettableClock(START_MS);
  const now = () => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });
  const seen = new ClockSkews('appliance a1', {
    now,
    get monotonicMs() {
      return clock.monotonicMs();
    },
  });
  return { clock, seen };
}

test('an appliance names the clocks that are too far from its own, until they are not, or are not seen any more', () => {
  const { clock, seen } = skews();
  const ask = (process: string, wallMs: number, tookMs = 0): void => {
    const asked = seen.ask();
    clock.pass(tookMs);
    seen.answered(process, asked, wallMs);
  };
  ask('splitter s1', START_MS + 2 * HOUR_MS);
  ask('splitter s2', START_MS + 4_000);
  ask('the replica site', START_MS - HOUR_MS);
  expect(seen.notes).toHaveLength(2);
  expect(seen.notes[0]).toContain('The clock of splitter s1 is 2 h ahead of that of appliance a1');
  expect(seen.notes[1]).toContain('The clock of the replica site is 1 h behind that of appliance a1');
  ask('splitter s1', START_MS);
  // An answer that took long may have been given at any instant in between.
  ask('splitter s3', START_MS - 6_000, 30_000);
  expect(seen.notes).toHaveLength(1);
  expect(seen.all.map(({ process }) => process)).toEqual(['splitter s2', 'the replica site', 'splitter s1']);
  clock.pass(HOUR_MS);
  expect(seen.all).toEqual([]);
});

test('a comparison tells a skew and a doubt, by whoever saw it first', () => {
  const clocks = new ClockComparison();
  const wallMs = Date.now();
  const doubt = { process: 'splitter s1', jumpMs: -600_000, sinceMs: START_MS, jumps: 1 };
  clocks.answered('splitter s1', clocks.ask(), { wallMs, doubt });
  clocks.answered('appliance a1', clocks.ask(), { wallMs: wallMs + HOUR_MS });
  clocks.answered('one of another vendor', clocks.ask(), undefined);
  clocks.seenBy('appliance a2', [
    { process: 'appliance a1', aheadMs: HOUR_MS },
    { process: 'the replica site', aheadMs: -HOUR_MS },
    { process: 'splitter s2', aheadMs: 5_000 },
  ]);
  expect(clocks.warnings).toEqual([
    expect.stringContaining('The wall clock of splitter s1 jumped by -10 min'),
    expect.stringContaining('The clock of appliance a1 is 1 h ahead of that of this process'),
    expect.stringContaining('The clock of the replica site is 1 h behind that of appliance a2'),
  ]);
});

test("a plan is told of the worker's clock, and is none the worse when no worker answers", async () => {
  const estateOfWorker = (port: number) => estateSchema.parse({ ...ESTATE, worker: { health: { port } } });
  const wallMs = Date.now() - 2 * HOUR_MS;
  server = await startHealthServer({
    host: '127.0.0.1',
    port: 0,
    routes: probesOf({
      // Its clock is told though it takes no work now.
      unready: async () => ['Temporal does not answer.'],
      health: async () => ({
        status: 'degraded',
        role: 'worker',
        id: 'worker-1',
        startedAtMs: 0,
        clock: { wallMs },
        notes: ['Temporal does not answer.'],
      }),
    }),
  });
  const port = Number(new URL(server.url).port);
  expect(await workerClockWarnings(estateOfWorker(port))).toEqual([
    expect.stringMatching(/^The clock of worker worker-1 is 2 h behind that of this process/),
  ]);
  await server.stop();
  server = undefined;
  expect(await workerClockWarnings(estateOfWorker(port))).toEqual([]);
});
