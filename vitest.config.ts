// One project a test group, so that a group's set-up runs only when its tests do: unit tests start
// in a second, and only the groups that need a server, a bundle or built processes wait for them.
import { defineConfig } from 'vitest/config';
import { openPrivates } from './test/model/open-privates.js';

import type { TestProjectInlineConfiguration } from 'vitest/config';

const SECOND_MS = 1_000;

/** Builds dist/, for groups that start the product's processes. */
const DIST = 'test/setup/dist.ts';
/** Makes the workflow bundle of dist/. */
const BUNDLE = 'test/setup/bundle.ts';
/** Starts one Temporal dev server for the group. */
const TEMPORAL = 'test/setup/temporal.ts';

interface Group {
  readonly name: string;
  readonly setup: readonly string[];
  /** Longest time for one test or hook, ms: far above what it takes on a busy machine. */
  readonly timeoutMs: number;
}

const groups: readonly Group[] = [
  { name: 'unit', setup: [], timeoutMs: 60 * SECOND_MS },
  { name: 'property', setup: [], timeoutMs: 300 * SECOND_MS },
  { name: 'simulation', setup: [], timeoutMs: 300 * SECOND_MS },
  // Every state of small worlds, and the specification's traces, on the real cores.
  { name: 'model', setup: [], timeoutMs: 900 * SECOND_MS },
  { name: 'integration', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 300 * SECOND_MS },
  { name: 'replay', setup: [DIST, BUNDLE], timeoutMs: 300 * SECOND_MS },
  // Real processes whose disks, clocks and hosts fail.
  { name: 'faults', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 300 * SECOND_MS },
  // The vendors' kit against our splitter, and against splitters that are wrong on purpose.
  { name: 'conformance', setup: [DIST], timeoutMs: 300 * SECOND_MS },
  // Real NBD and disk clients against built processes, during moves.
  { name: 'outside', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 300 * SECOND_MS },
  { name: 'ui', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 120 * SECOND_MS },
  // A stranger's use of the packed product: installs from the registry, so it may take its time.
  { name: 'package', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 300 * SECOND_MS },
  { name: 'chaos', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 300 * SECOND_MS },
];

/** The groups of `npm test`. */
const INSIDE = ['unit', 'property', 'simulation', 'integration', 'replay'];
/** Groups whose files share processes. */
const SHARING = ['unit', 'property', 'simulation', 'model', 'integration', 'faults'];
/** Groups that run beside others of their kind: their files mostly wait. */
const WAITING = [...INSIDE, 'faults'];

function project({ name, setup, timeoutMs }: Group): TestProjectInlineConfiguration {
  return {
    plugins: name === 'model' ? [openPrivates()] : [],
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      globalSetup: [...setup],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      // What a test polls for comes in its own time on a busy machine, as what it awaits does.
      expect: { poll: { timeout: timeoutMs } },
      // Files share processes: loading the modules for each file took half of the time of unit
      // tests, and 0.7 s of each integration test. The groups that take programs, browsers and
      // packages apart run each file in a process of its own.
      pool: 'forks',
      isolate: !SHARING.includes(name),
      // The groups of `npm test` run at once; the others run after them if all are asked for.
      ...(INSIDE.includes(name) ? {} : { sequence: { groupOrder: 1 } }),
      ...(WAITING.includes(name) ? {} : { maxWorkers: 2 }),
    },
  };
}

/** Makes what the replay tests hold the workflows against: only when asked for. */
const RECORDING: Group = { name: 'record', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 60 * SECOND_MS };

/** Takes the README's pictures anew: only when asked for. */
const PICTURES: Group = { name: 'pictures', setup: [DIST, BUNDLE, TEMPORAL], timeoutMs: 120 * SECOND_MS };

/** Groups that write what is kept in the repository, each with the variable that asks for it. */
const onDemand: readonly Group[] = [
  ...(process.env['VOLUME_MOVER_RECORD'] === '1' ? [RECORDING] : []),
  ...(process.env['VOLUME_MOVER_PICTURES'] === '1' ? [PICTURES] : []),
];

export default defineConfig({
  test: {
    projects: [...groups, ...onDemand].map(project),
    // The smallest machine that must run this has 2 cores. Integration tests spend more than half
    // of their time waiting, so that two files more fit beside two others.
    maxWorkers: 4,
    coverage: {
      provider: 'v8',
      include: ['{contracts,control,nbd,workflows,activities,workers,client,conformance,simulator,estate}/**/*.ts'],
      reportsDirectory: 'coverage',
    },
  },
});
