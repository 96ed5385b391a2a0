// Makes sure that there is a Temporal server to run before a command that needs one starts.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './root.mjs';
import { say } from './say.mjs';

/**
 * Finds the Temporal server or builds it (about 3 minutes, once a user); needs an up-to-date dist/.
 *
 * @param {boolean} isSaid whether to say which it is: a command that starts it says so itself
 */
export async function ensureTemporal(isSaid) {
  const { locateTemporal } = await import(pathToFileURL(join(root, 'dist', 'estate', 'temporal', 'locate.js')).href);
  await locateTemporal({ log: say, ...(isSaid ? {} : { logUsed: () => {} }) });
}
