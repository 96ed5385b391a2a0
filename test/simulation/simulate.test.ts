// The command that makes many runs: the same seed gives the same run, a broken one is reported with
// the command that makes it again, and a person can read what happened.
import { expect, test } from 'vitest';
import { factsOf, type RunFacts } from './facts.js';
import { MIXES, type Mix } from './mixes.js';
import { runOf } from './share.js';
import { jsonOf, reportOf, type Report } from './simulation-report.js';
import { Totals } from './totals.js';
import { traceWorld } from './trace.js';

const SEED = Math.floor(Math.random() * 1_000_000);
/** One mix in four in daily work, which ones by the seed; each mix in CI. */
const REPEATED = process.env['CI'] === 'true' ? MIXES : MIXES.filter((_mix, i) => i % 4 === SEED % 4);

const UNCONFIRMED: Mix = {
  name: 'unconfirmed',
  faults: { delayMsMax: 400, confirmCuts: false },
  splitters: 2,
  volumesPerSplitter: 2,
  trouble: () => ({ workerDies: 0 }),
};

interface Traced {
  readonly lines: readonly string[];
  readonly facts: Omit<RunFacts, 'cpuMs'>;
}

async function traced(mix: Mix, seed: number): Promise<Traced> {
  const lines: string[] = [];
  const { cpuMs: _cpuMs, ...facts } = await factsOf(mix, seed, (world) => {
    traceWorld(world, (line) => lines.push(line));
  });
  return { lines, facts };
}

function reportWith(facts: RunFacts): Report {
  const all = new Totals();
  all.add(facts);
  const share = { mixes: [facts.mix], firstSeed: facts.seed, runs: 1 };
  return { share, workers: 1, tookMs: 1_000, all, byMix: new Map([[facts.mix, all]]) };
}

test.each(REPEATED.map((mix) => [mix.name, mix] as const))(
  `the same seed gives the same run to the last line: %s (seed ${SEED})`,
  async (_name, mix) => {
    const first = await traced(mix, SEED);
    const { cpuMs: _cpuMs, ...untraced } = await factsOf(mix, SEED);
    const second = await traced(mix, SEED);
    expect(second).toEqual(first);
    // Reading along changes nothing.
    expect(untraced).toEqual(first.facts);
  },
);

test('a trace shows who asks whom, what befalls, and each state by step', async () => {
  const [mix] = MIXES.filter(({ name }) => name === 'crashes only');
  if (mix === undefined) throw new Error('there is such a mix');
  const { lines, facts } = await traced(mix, 41);
  const text = lines.join('\n');
  expect(facts.moves).toEqual(new Map([['moved', 4]]));
  expect(text).toMatch(/^ +\d+\.\d{3} s {2}move → s0 fence \{attempt: m0@seed41#\d, /m);
  expect(text).toMatch(/^ +\d+\.\d{3} s {2}move ← s0 fence \{cuts: \[s0v\d at \d+\.\d+/m);
  expect(text).toMatch(/s0v\d at s0, fence: none → m0@seed41#\d at \d+\.\d+$/m);
  expect(text).toMatch(/attempt m0@seed41#\d: OPEN, sealed, .* → COMMITTED, sealed, /);
  expect(text).toMatch(/fault: (site|splitter|appliance) crash, /);
  expect(text).toMatch(/(replica site|splitter s0|appliance a\d): up → down$/m);
});

test('a broken seed is named with its message and the command that makes it again', async () => {
  let facts = await factsOf(UNCONFIRMED, 1);
  for (let seed = 2; facts.broken === undefined; seed += 1) facts = await factsOf(UNCONFIRMED, seed);
  const replay = `npm run simulate -- --mix 'unconfirmed' --seed ${facts.seed} --trace`;
  const report = reportWith(facts);
  expect(reportOf(report)).toContain(`BROKEN, unconfirmed: ${facts.broken}\n  ${replay}`);
  expect(jsonOf(report)).toMatchObject({
    runs: 1,
    writes: facts.writes,
    broken: [{ mix: 'unconfirmed', seed: facts.seed, message: facts.broken, replay }],
    mixes: { unconfirmed: { runs: 1 } },
  });
});

test('a share has each seed in every mix before the next seed', () => {
  const share = { mixes: ['a', 'b'], firstSeed: 7, runs: 5 };
  const runs = Array.from({ length: share.runs }, (_, number) => runOf(share, number));
  expect(runs.map(({ mix, seed }) => `${mix}${seed}`)).toEqual(['a7', 'b7', 'a8', 'b8', 'a9']);
});
