// A checker for StrykerJS that lets a share of all mutants through, chosen by a seed. A full run
// takes days; a share of some hundred mutants tells the score within a few percent.
import { createHash } from 'node:crypto';
import { relative } from 'node:path';

import { CheckStatus } from '@stryker-mutator/api/check';
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin';

import { root } from './root.mjs';

const { VOLUME_MOVER_MUTANTS_SHARE: share = '1', VOLUME_MOVER_MUTANTS_SEED: seed = '1' } = process.env;
const HASHES = 2 ** 32;

/** The same mutant of the same code is chosen by the same seed, on each machine. */
function isChosen({ fileName, location: { start, end }, mutatorName, replacement }) {
  const place = [relative(root, fileName), start.line, start.column, end.line, end.column];
  const hash = createHash('sha256')
    .update(JSON.stringify([seed, ...place, mutatorName, replacement]))
    .digest();
  return hash.readUInt32BE(0) < Number(share) * HASHES;
}

const shareChecker = {
  init: async () => {},
  check: async (mutants) =>
    Object.fromEntries(
      mutants.map((mutant) => [
        mutant.id,
        isChosen(mutant)
          ? { status: CheckStatus.Passed }
          : { status: CheckStatus.CompileError, reason: 'not in the share' },
      ]),
    ),
  // All at once: nothing is compiled.
  group: async (mutants) => [mutants.map(({ id }) => id)],
};

export const strykerPlugins = [declareFactoryPlugin(PluginKind.Checker, 'share', () => shareChecker)];
