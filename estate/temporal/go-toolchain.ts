// Fetches the Go toolchain as the module golang.org/toolchain, verifies its pinned hash, and
// unpacks it.
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { fetchModuleZip } from './module-proxy.js';
import { hashModuleZip } from './module-hash.js';
import { readZip } from './zip.js';

/** The Go version that is fetched when no installed Go is new enough. */
export const GO_TOOLCHAIN_VERSION = 'go1.26.8';

const TOOLCHAIN_MODULE = 'golang.org/toolchain';

/** Each platform's `h1:` hash, as the Go checksum database gave it to `go mod download`. */
const TOOLCHAIN_HASHES: Readonly<Record<string, string>> = {
  'linux-amd64': 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=',
  'linux-arm64': 'h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=',
  'darwin-amd64': 'h1:7/9KPPN8PckcA9s91hm2jmQMhzW4KyTJXHIs45L0C9M=',
  'darwin-arm64': 'h1:dFjGhY6f8DTsY8/rLchUTDRRfjJP4pCrGCwxvHFT2Fg=',
};

/** Go's names of Node.js's processor architectures. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Folders of the toolchain's programs, which become executable: modules carry no file modes. */
const PROGRAM_FOLDERS = ['bin', 'pkg/tool'];
const PROGRAM_MODE = 0o755;

export interface FetchGoToolchainOptions {
  /** Target folder of the toolchain; must not exist yet. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Fetches and unpacks the toolchain (71 MB, 270 MB unpacked) into `folder`, completely or not at
 * all.
 *
 * @throws Error for a platform without a pinned hash, a proxy that doesn't answer, or a download
 * with another hash
 */
export async function fetchGoToolchain({ folder, env, signal }: FetchGoToolchainOptions): Promise<void> {
  const platform = `${process.platform}-${GO_ARCHITECTURES[process.arch] ?? process.arch}`;
  const expectedHash = TOOLCHAIN_HASHES[platform];
  if (expectedHash === undefined) {
    throw new Error(`No Go toolchain is pinned for ${platform}: install Go 1.25 or newer, or set TEMPORAL_CLI_PATH.`);
  }
  const version = `v0.0.1-${GO_TOOLCHAIN_VERSION}.${platform}`;
  const archive = await fetchModuleZip({
    module: TOOLCHAIN_MODULE,
    version,
    env,
    ...(signal === undefined ? {} : { signal }),
  });
  const entries = readZip(archive);
  const hash = hashModuleZip(entries);
  if (hash !== expectedHash) {
    throw new Error(`The Go toolchain ${version} has hash ${hash} instead of ${expectedHash}: not used.`);
  }
  await mkdir(dirname(folder), { recursive: true });
  const unpacked = await mkdtemp(`${folder}-unpacking-`);
  try {
    await unpack(entries, `${TOOLCHAIN_MODULE}@${version}/`, unpacked);
    await rename(unpacked, folder);
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
}

async function unpack(entries: ReturnType<typeof readZip>, prefix: string, folder: string): Promise<void> {
  for (const entry of entries) {
    const path = relativePath(entry.name, prefix);
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, entry.read());
    // A module can't contain another module, so the toolchain's go.mod files are packed under this
    // name.
    if (path.endsWith('/_go.mod')) await copyFile(target, join(dirname(target), 'go.mod'));
  }
  for (const programs of PROGRAM_FOLDERS) await makeProgramsExecutable(join(folder, programs));
}

/**
 * The entry's path below `prefix`. The hash was verified, so a strange path is a mistake here, not
 * an attack.
 */
function relativePath(name: string, prefix: string): string {
  const path = name.slice(prefix.length);
  if (!name.startsWith(prefix) || path === '' || path.split('/').some((part) => part === '..' || part === '')) {
    throw new Error(`Unexpected path in the Go toolchain: ${name}`);
  }
  return path;
}

async function makeProgramsExecutable(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), PROGRAM_MODE);
  }
}
