// Builds the Temporal CLI from its Go module into the cache, once per user.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { cachedCli, cliFolder, TEMPORAL_CLI_PACKAGE, TEMPORAL_CLI_VERSION } from './cli.js';
import { isExecutableFile } from './executable-file.js';
import { withFileLock } from './file-lock.js';
import { provideGo } from './go.js';

import type { Go } from './go.js';

/** Time between two progress lines of a build, ms. */
const PROGRESS_INTERVAL_MS = 30_000;
/** Last lines of the log shown in an error. */
const FAILURE_LOG_LINES = 12;

export interface BuildCliOptions {
  readonly log: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Builds the CLI into the cache and returns its path; waits if another process is building it.
 * Takes about 3 minutes on 2 cores and about 3 GB of disk while it runs.
 *
 * @throws Error with the end of the build's log and the other ways to provide a server
 */
export async function buildCli({ log, env, signal }: BuildCliOptions): Promise<string> {
  const cli = cachedCli(env);
  const folder = cliFolder(env);
  const abort = signal === undefined ? {} : { signal };
  const onWait = (): void => log('Temporal: another process is building the server; waiting for it ...');
  return withFileLock({ path: join(folder, 'build.lock'), onWait, ...abort }, async () => {
    if (await isExecutableFile(cli)) return cli;
    const go = await provideGo({ log, env, ...abort });
    const workFolder = await mkdtemp(join(folder, 'build-'));
    const logFile = join(folder, 'build.log');
    try {
      log(`Temporal: building CLI ${TEMPORAL_CLI_VERSION} with ${go.version}: about 3 minutes, once. Log: ${logFile}`);
      const built = await goInstall({ go, workFolder, logFile, log, env, ...abort });
      await rename(built, cli);
      return cli;
    } finally {
      await rm(workFolder, { recursive: true, force: true });
    }
  });
}

interface GoInstallOptions extends BuildCliOptions {
  readonly go: Go;
  readonly workFolder: string;
  readonly logFile: string;
}

async function goInstall({ go, workFolder, logFile, log, env, signal }: GoInstallOptions): Promise<string> {
  const binFolder = join(workFolder, 'bin');
  await mkdir(binFolder, { recursive: true });
  const startedMs = performance.now();
  const progress = setInterval(() => {
    log(`Temporal: still building (${Math.round((performance.now() - startedMs) / 1000)} s) ...`);
  }, PROGRESS_INTERVAL_MS);
  const output = createWriteStream(logFile);
  // A full disk fails the build, which says so. The log's own failure must not end the process.
  output.on('error', () => undefined);
  try {
    const child = spawn(go.path, ['install', '-ldflags', '-s -w', TEMPORAL_CLI_PACKAGE], {
      cwd: workFolder,
      env: buildEnvironment({ go, workFolder, binFolder, env }),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    await once(child, 'close');
    if (child.exitCode !== 0) throw new Error(await failureMessage(logFile, output));
    return join(binFolder, 'temporal');
  } finally {
    clearInterval(progress);
    output.end();
  }
}

interface BuildEnvironment {
  readonly go: Go;
  readonly workFolder: string;
  readonly binFolder: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The user's environment without the variables that would build for another platform, build another
 * module, or use another Go.
 */
function buildEnvironment({ go, workFolder, binFolder, env }: BuildEnvironment): NodeJS.ProcessEnv {
  const { GOOS: _os, GOARCH: _arch, GOROOT: _root, ...kept } = env;
  return {
    ...kept,
    GOBIN: binFolder,
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    GO111MODULE: 'on',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
    // A fetched Go gets its own caches (2 GB), which are removed after the build.
    ...(go.isFetched
      ? {
          GOPATH: join(workFolder, 'gopath'),
          GOMODCACHE: join(workFolder, 'gopath', 'pkg', 'mod'),
          GOCACHE: join(workFolder, 'gocache'),
        }
      : {}),
  };
}

async function failureMessage(logFile: string, output: NodeJS.WritableStream): Promise<string> {
  await new Promise<void>((resolve) => output.end(resolve));
  const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-FAILURE_LOG_LINES);
  return [
    `Building the Temporal CLI failed (whole log: ${logFile}):`,
    ...lines.map((line) => `  ${line}`),
    'Instead, set TEMPORAL_ADDRESS to a running server, or TEMPORAL_CLI_PATH to a `temporal` executable.',
  ].join('\n');
}
