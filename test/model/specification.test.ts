// The specification in docs/model: it keeps the promises over random runs, its wrong first drafts
// don't, and the real cores follow its traces state by state.
import { describe, expect, it } from 'vitest';
import { Cores } from './replay/cores.js';
import { simulate } from './replay/quint.js';
import { attempts, ROOMY_BYTES, type Scenario, thereAndBack, TWO_SPLITTERS } from './scenario.js';

const SEED = Number(process.env['VOLUME_MOVER_SEED'] ?? Math.floor(Math.random() * 1_000_000));
/** Traces that the cores follow. VOLUME_MOVER_TRACES asks for more. */
const TRACES = Number(process.env['VOLUME_MOVER_TRACES'] ?? 5_000);
/** A seventh of them. The instances with short traces get more, the longest ones fewer. */
const SHARE = Math.ceil(TRACES / 7);
/** Most traces of one run of Quint. */
const TRACES_PER_RUN_MAX = 250;
/** Most steps of all traces of one run: Quint keeps each state in memory, and has 4 GB of it. */
const STEPS_PER_RUN_MAX = 20_000;
/** One run of Quint for each of two processors. */
const RUNS_AT_ONCE = 2;

const BASE: Scenario = {
  volumes: TWO_SPLITTERS,
  tries: attempts(TWO_SPLITTERS, 2),
  writes: [],
  crashes: 0,
  restarts: 0,
  breaks: 0,
  queueBytes: ROOMY_BYTES,
  flaws: {},
};

const SOUND: readonly {
  readonly instance: string;
  readonly scenario: Scenario;
  readonly traces: number;
  readonly stepsMax: number;
}[] = [
  { instance: 'oneMove', scenario: BASE, traces: 3 * SHARE, stepsMax: 60 },
  { instance: 'thereAndBack', scenario: { ...BASE, tries: thereAndBack(TWO_SPLITTERS) }, traces: SHARE, stepsMax: 110 },
  { instance: 'crashAndJoin', scenario: BASE, traces: 2 * SHARE, stepsMax: 60 },
  { instance: 'forgottenAttempt', scenario: { ...BASE, forgets: true }, traces: SHARE, stepsMax: 80 },
  {
    instance: 'forgottenMove',
    scenario: { ...BASE, tries: thereAndBack(TWO_SPLITTERS), forgets: true },
    traces: Math.ceil(SHARE / 3),
    stepsMax: 130,
  },
];

/** Steps that some trace of each instance takes. */
const REACHED = [
  'guest',
  'arrive',
  'fence',
  'confirm',
  'seal',
  'adopt',
  'learn COMMITTED',
  'attach',
  'join',
  'resolve',
];

/** Wrong first drafts, each with a kind of step that soon shows it. The seed is fixed. */
const TWINS = [
  { instance: 'leaseDecides', step: 'step' },
  { instance: 'truthAtTheSplitter', step: 'step' },
  { instance: 'markLate', step: 'step' },
  { instance: 'holdWithoutConfirm', step: 'hurriedStep' },
  { instance: 'verdictTakenBack', step: 'step' },
  { instance: 'forgetsUnheard', step: 'step' },
] as const;
const TWIN_SEED = 1;
const TWIN_SAMPLES_MAX = 20_000;

describe(`the specification, seed ${SEED}`, () => {
  it.each(SOUND)(
    '$instance: keeps the promises, and the cores follow its traces',
    async ({ instance, scenario, traces, stepsMax }) => {
      const cores = new Cores(scenario);
      const perRun = Math.min(TRACES_PER_RUN_MAX, Math.floor(STEPS_PER_RUN_MAX / stepsMax));
      let followed = 0;
      const batch = async (from: number): Promise<void> => {
        const run = { instance, seed: SEED + from, samples: Math.min(perRun, traces - from), stepsMax };
        const outcome = await simulate(run, (trace, file) => {
          follow(cores, trace, `${instance}, seed ${run.seed}, trace ${file}`);
          followed += 1;
        });
        expect(outcome.isSafe, outcome.output).toBe(true);
      };
      for (let from = 0; from < traces; from += perRun * RUNS_AT_ONCE)
        await Promise.all(
          Array.from({ length: RUNS_AT_ONCE }, (_, i) => from + i * perRun)
            .filter((first) => first < traces)
            .map(batch),
        );
      const { site, splitters } = cores.sizes;
      process.stdout.write(
        `${instance}: ${followed} traces, ${cores.steps} steps; cores: site ${site}, splitter ${splitters} states; ` +
          `${[...cores.counts].map(([name, count]) => `${name} ${count}`).join(', ')}\n`,
      );
      expect(followed).toBe(traces);
      for (const name of [...REACHED, ...(scenario.forgets === true ? ['forget'] : [])])
        expect(cores.counts.get(name) ?? 0, name).toBeGreaterThan(0);
    },
  );

  it.each(TWINS)('$instance: breaks a promise', async ({ instance, step }) => {
    const outcome = await simulate({ instance, step, seed: TWIN_SEED, samples: TWIN_SAMPLES_MAX, stepsMax: 80 });
    process.stdout.write(`${instance}: ${outcome.output.split('\n')[0]}\n`);
    expect(outcome.isSafe, outcome.output).toBe(false);
  });
});

describe('the replay', () => {
  // Two of the wrong drafts are wrong at the splitter or the site, where the real cores are right.
  it.each(['leaseDecides', 'verdictTakenBack'] as const)(
    'notices where the cores are not as in %s',
    async (instance) => {
      const cores = new Cores({ ...BASE, tries: attempts(TWO_SPLITTERS, instance === 'leaseDecides' ? 1 : 2) });
      const differences: string[] = [];
      await simulate({ instance, seed: TWIN_SEED, samples: 40, stepsMax: 80 }, (trace, file) => {
        try {
          follow(cores, trace, file);
        } catch (error) {
          differences.push(
            error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error),
          );
        }
      });
      expect(differences.join('\n')).toMatch(
        instance === 'leaseDecides' ? /fence of volume . at its splitter/ : /the core answers "resolve"/,
      );
    },
  );
});

function follow(cores: Cores, trace: Parameters<Parameters<typeof simulate>[1] & object>[0], name: string): void {
  const done: string[] = [];
  try {
    const [first, ...rest] = trace;
    if (first === undefined) throw new Error('a trace has no state');
    cores.begin(first.w);
    let before = first.w;
    for (const { w, did } of rest) {
      done.push(`${did.name} v${did.v} t${did.t}`);
      cores.follow(did, before, w);
      before = w;
    }
  } catch (error) {
    throw new Error(`${name}, after ${done.join(' | ')}`, { cause: error });
  }
}
