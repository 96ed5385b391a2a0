// Runs the mutation tests: of everything, or with `--only <path>` of one folder or file, or with
// `--share 0.05 [--seed 7]` of mutants chosen by chance; judged by all unit and property tests, or
// with `--judges <path>` by those of one folder. They take the processor for a long time, so they
// give way to everything else.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { root } from './root.mjs';
import { runTool } from './run-tool.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    judges: { type: 'string' },
    share: { type: 'string' },
    seed: { type: 'string' },
  },
});

/** A file, or the files of a folder that end so. */
function filesOf(option, path, ending) {
  if (!existsSync(join(root, path))) throw new Error(`${option}: there is no file or folder "${path}" in the project`);
  return statSync(join(root, path)).isDirectory() ? `${path.replace(/\/$/, '')}/**/*${ending}` : path;
}

function shareOf(text) {
  const share = Number(text);
  if (!(share > 0 && share <= 1)) throw new Error(`--share: give a number above 0, at most 1, not "${text}"`);
  return text;
}

const chosen = (values.only ?? []).map((path) => filesOf('--only', path, '.ts'));
if (values.judges !== undefined) process.env.VOLUME_MOVER_JUDGES = filesOf('--judges', values.judges, '.test.ts');
if (values.share !== undefined) process.env.VOLUME_MOVER_MUTANTS_SHARE = shareOf(values.share);
process.env.VOLUME_MOVER_MUTANTS_SEED = values.seed ?? '1';

process.exitCode = await runTool('nice', [
  '-n',
  '10',
  'stryker',
  'run',
  ...(chosen.length === 0 ? [] : ['--mutate', chosen.join(',')]),
]);
