// The version of the Temporal CLI that this project builds, and where it is kept.
import { join } from 'node:path';

import { cacheFolder } from './cache.js';

/**
 * Contains server 1.29.1 and Web UI 2.42.1. Newer versions (1.9.1) can't be installed as Go
 * modules, as their go.mod has a `replace`.
 */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** The CLI's Go package at that version. */
export const TEMPORAL_CLI_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;

/** The folder in the user's cache for this version of the CLI. */
export function cliFolder(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), `temporal-cli-${TEMPORAL_CLI_VERSION}`);
}

/** Path of the CLI's executable in that folder, built or not. */
export function cachedCli(env: NodeJS.ProcessEnv): string {
  return join(cliFolder(env), 'temporal');
}
