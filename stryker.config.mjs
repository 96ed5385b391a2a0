// Mutation testing: which code is mutated, and by which tests it is judged. `npm run mutate`.
export default {
  mutate: [
    'simulator/*/core/**/*.ts',
    'workflows/saga/**/*.ts',
    'workflows/batch/core/**/*.ts',
    'activities/**/*.ts',
    // Temporal's side of activities: the integration tests judge it, on the real server.
    '!activities/{create-activities,run,step-run}.ts',
    '!activities/batch/create-batch-activities.ts',
    // Types, and ids made from numbers.
    '!simulator/replica-site/core/rows.ts',
  ],
  plugins: ['@stryker-mutator/vitest-runner', './scripts/share-checker.mjs'],
  // Chooses mutants by chance, when a share of them is asked for.
  checkers: process.env['VOLUME_MOVER_MUTANTS_SHARE'] === undefined ? [] : ['share'],
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: true },
  coverageAnalysis: 'perTest',
  // A value computed at import needs a new process for each mutant: too slow for what it shows.
  ignoreStatic: true,
  // TypeScript 7 has no API to read tsconfig.json by; nothing in it needs a rewrite.
  tsconfigFile: 'tsconfig.none.json',
  // The tests run TypeScript as it is: a mutant with a type error is one that runs.
  disableTypeChecks: false,
  concurrency: 1,
  // A mutant that loops is noticed by its hits; a busy machine must not look like one.
  timeoutMS: 30_000,
  timeoutFactor: 4,
  // All unit and property tests, beside other work.
  dryRunTimeoutMinutes: 60,
  tempDirName: 'test-output/stryker',
  ignorePatterns: ['/dist', '/docs', '/coverage', '/test-output', '/.estate', '/bench', '/test/replay/histories'],
  reporters: ['clear-text', 'progress-append-only', 'json', 'html'],
  clearTextReporter: { allowEmojis: false, logTests: false, allowColor: false },
  jsonReporter: { fileName: 'test-output/mutation/mutation.json' },
  htmlReporter: { fileName: 'test-output/mutation/mutation.html' },
  thresholds: { high: 90, low: 85, break: null },
};
