// Downloads a module's zip file through the Go module proxy, for a machine without Go.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { causeOf } from '../../control/cause.js';

/**
 * The proxy that the Go command uses when GOPROXY isn't set: on the Go project's own domain, which
 * its toolchain module is named after.
 */
const defaultProxy = (module: string): string => `https://proxy.${module.slice(0, module.indexOf('/'))}`;

/** Longest time for one download, ms: 100 MB at 2 Mbit/s. */
const DOWNLOAD_TIMEOUT_MS = 400_000;

export interface FetchModuleOptions {
  /** The module's path, in lower case: the escape of capital letters isn't implemented. */
  readonly module: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Fetches the zip file of `module@version` from the first proxy in GOPROXY that has it.
 *
 * @throws Error naming each proxy tried and why it failed
 */
export async function fetchModuleZip({ module, version, env, signal }: FetchModuleOptions): Promise<Buffer> {
  const failures: string[] = [];
  for (const proxy of proxies(module, env)) {
    const url = `${proxy.replace(/\/$/, '')}/${module}/@v/${version}.zip`;
    try {
      return await download(url, signal);
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`${url}: ${causeOf(error)}`);
    }
  }
  if (failures.length === 0) failures.push(`GOPROXY is "${env['GOPROXY'] ?? ''}": it names no proxy to download from`);
  throw new Error(
    [
      `${module}@${version} could not be fetched. Install Go 1.25 or newer, set GOPROXY, or set TEMPORAL_CLI_PATH.`,
      ...failures.map((failure) => `  ${failure}`),
    ].join('\n'),
  );
}

/** GOPROXY's entries except `direct` (version control itself) and `off`: they have no zip files. */
function proxies(module: string, env: NodeJS.ProcessEnv): string[] {
  return (env['GOPROXY'] || defaultProxy(module))
    .split(/[,|]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '' && entry !== 'direct' && entry !== 'off');
}

async function download(url: string, signal: AbortSignal | undefined): Promise<Buffer> {
  if (url.startsWith('file:')) return readFile(fileURLToPath(url));
  const timeout = AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS);
  const response = await fetch(url, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
