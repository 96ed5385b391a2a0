// The one version of the Temporal CLI that this project builds and keeps, and where.
import { join } from 'node:path';

import { cacheFolder } from './cache.js';

/**
 * Carries server 1.29.1 and Web UI 2.42.1. Later ones (1.9.1) can't be installed as Go modules: a
 * `replace` in go.mod.
 */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** The Go package of the CLI at that version. */
export const TEMPORAL_CLI_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;

/** The folder in the user's cache for this version of the CLI. */
export function cliFolder(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), `temporal-cli-${TEMPORAL_CLI_VERSION}`);
}

/** The CLI's executable there, built or not. */
export function cachedCli(env: NodeJS.ProcessEnv): string {
  return join(cliFolder(env), 'temporal');
}
