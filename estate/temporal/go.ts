// Provides a Go that can build the Temporal CLI: the user's own, or a toolchain fetched through the
// Go module proxy.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cacheFolder } from './cache.js';
import { findOnPath, isExecutableFile } from './executable-file.js';
import { fetchGoToolchain, GO_TOOLCHAIN_VERSION } from './go-toolchain.js';

const run = promisify(execFile);

/** The oldest Go that builds Temporal CLI 1.5.1 (by its go.mod): major, minor. */
const GO_OLDEST = [1, 25] as const;

/** A Go command to build with. */
export interface Go {
  readonly path: string;
  /** Version in Go's own form, e.g. `go1.26.8`. */
  readonly version: string;
  /** Whether this project fetched it, so that nobody else uses its caches. */
  readonly isFetched: boolean;
}

export interface ProvideGoOptions {
  readonly log: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Returns the user's Go from PATH if it is new enough; otherwise the cached toolchain, fetched
 * first (71 MB) if missing.
 *
 * @throws Error when this platform's toolchain isn't pinned here, can't be fetched, or has another
 * hash
 */
export async function provideGo({ log, env, signal }: ProvideGoOptions): Promise<Go> {
  const own = await findOnPath('go', env);
  const ownVersion = own === undefined ? undefined : await versionOf(own, env);
  if (own !== undefined && ownVersion !== undefined && isNewEnough(ownVersion)) {
    return { path: own, version: ownVersion, isFetched: false };
  }
  const folder = join(cacheFolder(env), GO_TOOLCHAIN_VERSION);
  const path = join(folder, 'bin', 'go');
  if (!(await isExecutableFile(path))) {
    const why = ownVersion === undefined ? 'there is no Go' : `${ownVersion} is older than ${GO_OLDEST.join('.')}`;
    log(`Temporal: ${why}; fetching ${GO_TOOLCHAIN_VERSION} (71 MB) through the Go module proxy, once ...`);
    await fetchGoToolchain({ folder, env, ...(signal === undefined ? {} : { signal }) });
  }
  return { path, version: GO_TOOLCHAIN_VERSION, isFetched: true };
}

/** The output of `go env GOVERSION` without switching toolchains; undefined if that fails. */
async function versionOf(go: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stdout } = await run(go, ['env', 'GOVERSION'], { env: { ...env, GOTOOLCHAIN: 'local', GOFLAGS: '' } });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string): boolean {
  const match = /^go(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > GO_OLDEST[0] || (major === GO_OLDEST[0] && minor >= GO_OLDEST[1]);
}
