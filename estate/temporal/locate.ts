// Finds a Temporal server for this estate, or builds one as the last resort.
import { resolve } from 'node:path';

import { buildCli } from './build-cli.js';
import { cachedCli } from './cli.js';
import { findOnPath, isExecutableFile } from './executable-file.js';
import { existingServer } from './existing-server.js';
import { sdkDownload } from './sdk-download.js';

import type { ExistingServer } from './existing-server.js';

/** A running server, or the executable to start one. */
export type TemporalServer =
  | { readonly kind: 'existing'; readonly server: ExistingServer }
  | { readonly kind: 'executable'; readonly path: string; readonly origin: ExecutableOrigin };

export type ExecutableOrigin = 'TEMPORAL_CLI_PATH' | 'PATH' | 'SDK download' | 'cache' | 'built';

export interface LocateOptions {
  /** Called with each line about the server used or built. */
  readonly log: (line: string) => void;
  /** Called instead of `log` with the line about the server used, if the caller reports it. */
  readonly logUsed?: (line: string) => void;
  /** Defaults to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Cancels a build in progress. */
  readonly signal?: AbortSignal;
}

/**
 * Finds a Temporal server, in this order: an existing one (`TEMPORAL_ADDRESS` or
 * `TEMPORAL_PROFILE`), the executable at `TEMPORAL_CLI_PATH`, `temporal` on PATH, the SDK's own
 * download, the one in this project's cache. If there is none, builds the cached one with Go (about
 * 3 minutes on 2 cores, once per user).
 *
 * @throws Error saying what to install or set, when TEMPORAL_CLI_PATH can't be executed or the
 * build fails
 */
export async function locateTemporal({
  log,
  logUsed = log,
  env = process.env,
  signal,
}: LocateOptions): Promise<TemporalServer> {
  const server = existingServer(env);
  if (server !== undefined) {
    logUsed(`Temporal: the existing server at ${server.address}, namespace ${server.namespace}.`);
    return { kind: 'existing', server };
  }
  const found = await findExecutable(env);
  if (found !== undefined) {
    logUsed(`Temporal: ${found.path} (${found.origin}).`);
    return { kind: 'executable', ...found };
  }
  const path = await buildCli({ log, env, ...(signal === undefined ? {} : { signal }) });
  logUsed(`Temporal: ${path} (built).`);
  return { kind: 'executable', path, origin: 'built' };
}

async function findExecutable(
  env: NodeJS.ProcessEnv,
): Promise<{ readonly path: string; readonly origin: ExecutableOrigin } | undefined> {
  const configured = env['TEMPORAL_CLI_PATH'];
  if (configured) {
    const path = resolve(configured);
    if (await isExecutableFile(path)) return { path, origin: 'TEMPORAL_CLI_PATH' };
    throw new Error(
      `TEMPORAL_CLI_PATH names ${path}, which is not an executable file. Correct it, or unset it: then the search goes on, and builds the Temporal CLI if there is none.`,
    );
  }
  const onPath = await findOnPath('temporal', env);
  if (onPath !== undefined) return { path: onPath, origin: 'PATH' };
  const downloaded = await sdkDownload();
  if (await isExecutableFile(downloaded)) return { path: downloaded, origin: 'SDK download' };
  const cached = cachedCli(env);
  if (await isExecutableFile(cached)) return { path: cached, origin: 'cache' };
  return undefined;
}
