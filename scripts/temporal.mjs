// Makes sure that a Temporal server is available before a command that needs one.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './root.mjs';
import { say } from './say.mjs';

/**
 * Finds the Temporal server or builds it (about 3 minutes, once per user). Needs an up-to-date
 * dist/.
 *
 * @param {boolean} isSaid whether to print which server it is; a command that starts it prints that
 * itself
 */
export async function ensureTemporal(isSaid) {
  const { locateTemporal } = await import(pathToFileURL(join(root, 'dist', 'estate', 'temporal', 'locate.js')).href);
  await locateTemporal({ log: say, ...(isSaid ? {} : { logUsed: () => {} }) });
}
