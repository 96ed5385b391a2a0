// The table of all `npm run` commands: what each needs first, and what it runs.

/**
 * @typedef {object} Command
 * @property {boolean} [build] needs an up-to-date dist/
 * @property {boolean} [temporal] needs a Temporal server; implies an up-to-date dist/
 * @property {string} [entry] a module below dist/, run inside this process with the user's
 * arguments
 * @property {string} [takes] how long it takes, where that is minutes: said before it begins
 * @property {readonly (readonly string[])[]} [tools] tools run one after the other; the last gets
 * the user's arguments
 */

/** Test groups that need neither a server nor a built process. */
const FAST_GROUPS = ['unit', 'property'];
/** All test groups that need no outside program except the Temporal server. */
const INSIDE_GROUPS = [...FAST_GROUPS, 'simulation', 'integration', 'replay'];

const vitest = (...groups) => [['vitest', 'run', ...groups.map((group) => `--project=${group}`)]];

const FORMAT_CHECK = ['oxfmt', '--check'];
const LINT = ['oxlint'];
const TYPECHECK = ['tsc', '-p', 'tsconfig.json', '--noEmit'];
const KNIP = ['knip'];

/** @type {Readonly<Record<string, Command>>} */
export const commands = {
  setup: { build: true, temporal: true },
  build: { build: true },
  demo: { temporal: true, entry: 'estate/demo.js' },
  start: { temporal: true, entry: 'estate/start.js' },
  bench: { temporal: true, entry: 'bench/main.js' },
  'volume-mover': { build: true, entry: 'client/cli/main.js' },
  simulate: { build: true, entry: 'test/simulation/simulate.js' },
  openapi: { build: true, entry: 'simulator/openapi.js' },
  // The tests' own set-up builds dist/ and finds the server, if a group needs them.
  test: {
    tools: vitest(...INSIDE_GROUPS),
    takes: 'about 5 minutes on two cores; npm run test:fast takes less than one',
  },
  'test:fast': { tools: vitest(...FAST_GROUPS) },
  'test:faults': { tools: vitest('faults'), takes: 'about 2 minutes on two cores' },
  'test:conformance': { tools: vitest('conformance'), takes: 'about 2 minutes on two cores' },
  'test:outside': { tools: vitest('outside') },
  'test:ui': { tools: vitest('ui') },
  'test:chaos': { tools: vitest('chaos') },
  model: { tools: vitest('model'), takes: 'about 5 minutes on two cores' },
  'test:package': { tools: vitest('package') },
  mutate: {
    tools: [['node', 'scripts/mutate.mjs']],
    takes: 'days; npm run mutate -- --only workflows/saga takes minutes, --share 0.03 an hour',
  },
  // Plants bugs in a copy of the sources, and prints which tests find them: docs/reliability.md.
  bank: { build: true, entry: 'test/bank/main.js' },
  'mutate:scripts': { tools: [['node', 'scripts/mutate-scripts.mjs']], takes: 'about 3 minutes' },
  // npm runs it before it packs: the tarball has the compiled product and its workflow bundle.
  prepack: { build: true, entry: 'workers/make-bundle.js' },
  format: { tools: [['oxfmt']] },
  'format:check': { tools: [FORMAT_CHECK] },
  lint: { tools: [LINT] },
  typecheck: { tools: [TYPECHECK] },
  knip: { tools: [KNIP] },
  check: { tools: [FORMAT_CHECK, LINT, TYPECHECK, KNIP] },
};
