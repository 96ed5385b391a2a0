// Mutation tests judged by the text scripts of test/unit/scripts alone: Stryker's mutants in one
// process, thousands in minutes. Prints each mutant that no script notices, then a table.
// `--only <path>` chooses a folder or file.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

import { Instrumenter } from '@stryker-mutator/instrumenter';

import { root } from './root.mjs';
import { runTool } from './run-tool.mjs';

/** The code whose behaviour the scripts of test/unit/scripts show. */
const TOLD_BY_SCRIPTS = [
  'activities/attempt-context.ts',
  'activities/bookmark.ts',
  'activities/compensation.ts',
  'activities/fence-by.ts',
  'activities/flush.ts',
  'activities/notify.ts',
  'activities/plan.ts',
  'activities/reconfigure.ts',
  'activities/snapshot.ts',
  'activities/verify',
  'simulator/replica-site/core/attempts.ts',
  'simulator/splitter/core/doubt.ts',
  'simulator/splitter/core/holds.ts',
  'simulator/splitter/core/split',
  'simulator/splitter/core/unreadable.ts',
  'simulator/splitter/core/volume-split.ts',
  'workflows/saga/',
];
/** The files that the judge, test/mutation/judge.config.ts, runs or imports. */
const COPIED =
  /^(?:activities|client|contracts|control|simulator|workflows|test\/(?:mutation|support|unit)|package\.json)/;

const copy = join(root, 'test-output', 'mutation', 'copy');
const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => COPIED.test(file));
const mutated = files.filter((file) => (values.only ?? TOLD_BY_SCRIPTS).some((path) => file.startsWith(path)));
const sources = new Map(mutated.map((file) => [join(root, file), readFileSync(join(root, file), 'utf8')]));

const mutants = await makeCopy();
process.exitCode = await runTool('nice', [
  '-n',
  '10',
  'vitest',
  'run',
  '--root',
  copy,
  '--config',
  join(copy, 'test/mutation/judge.config.ts'),
]);
if (process.exitCode === 0) tell(JSON.parse(readFileSync(join(copy, 'judged.json'), 'utf8')));

/** Copies the sources, with every mutant in them, switched off. */
async function makeCopy() {
  rmSync(copy, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const silent = new Proxy({}, { get: () => () => false });
  const instrumented = await new Instrumenter(silent).instrument(
    [...sources].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, excludedMutations: [], ignorers: [] },
  );
  for (const { name, content } of instrumented.files) writeFileSync(name.replace(root, copy), content);
  writeFileSync(
    join(copy, 'mutants.json'),
    JSON.stringify(instrumented.mutants.map(({ id, status }) => ({ id, status }))),
  );
  return new Map(instrumented.mutants.map((mutant) => [mutant.id, mutant]));
}

/** Prints what survived, then the score of each file. */
function tell(judged) {
  const scores = new Map();
  for (const { id, status } of judged) {
    const { fileName } = mutants.get(id);
    const score = scores.get(fileName) ?? { Killed: 0, Survived: 0, NotReached: 0, AtImport: 0 };
    score[status] += 1;
    scores.set(fileName, score);
  }
  for (const { id, status } of judged) {
    if (status !== 'Survived' && status !== 'NotReached') continue;
    const { fileName, location, mutatorName, replacement } = mutants.get(id);
    const line = sources.get(fileName).split('\n')[location.start.line];
    const place = `${fileName.replace(`${root}/`, '')}:${location.start.line + 1}:${location.start.column + 1}`;
    console.log(
      `${status} ${place} ${mutatorName}\n  ${line.trim()}\n  → ${replacement.replace(/\s+/g, ' ').slice(0, 100)}`,
    );
  }
  for (const [file, { Killed, Survived, NotReached }] of scores) {
    const percent = (100 * Killed) / (Killed + Survived + NotReached);
    console.log(
      `${percent.toFixed(1).padStart(6)} %  ${Killed} killed, ${Survived} survived, ${NotReached} not reached  ${file.replace(`${root}/`, '')}`,
    );
  }
}
