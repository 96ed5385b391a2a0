// Compiles the product's rooms into dist/ when a source is newer than the last good build.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { root } from './root.mjs';
import { runTool } from './run-tool.mjs';
import { say } from './say.mjs';

/** Inputs of dist/ besides the folders that the build's configuration includes. */
const BUILD_CONFIG = 'tsconfig.build.json';
const OTHER_INPUTS = [BUILD_CONFIG, 'tsconfig.json', 'package-lock.json'];

/** What the compiler makes of one source. */
const COMPILED = /(\.js|\.js\.map|\.d\.ts)$/;

/** Stamp file whose modification time is the start of the last good build. */
const BUILT_STAMP = join(root, 'dist', '.built');

/** Builds dist/ if it is stale (about 1.5 s). Throws when the compiler finds errors. */
export async function buildIfStale() {
  const builtMs = await modifiedMs(BUILT_STAMP);
  const { include } = JSON.parse(await readFile(join(root, BUILD_CONFIG), 'utf8'));
  const inputs = [...include, ...OTHER_INPUTS].map((input) => newestMs(join(root, input)));
  const changedMs = Math.max(...(await Promise.all(inputs)));
  if (changedMs < builtMs) return;
  say('Building dist/ ...');
  const startedAt = new Date();
  const code = await runTool('tsc', ['-p', 'tsconfig.build.json'], { stdout: 'stderr' });
  if (code !== 0) throw new Error('The build failed: see the compiler errors above.');
  await Promise.all(include.map(removeOrphans));
  await mkdir(join(root, 'dist'), { recursive: true });
  await writeFile(BUILT_STAMP, '');
  await utimes(BUILT_STAMP, startedAt, startedAt);
}

/**
 * The newest modification time at or below `path`. A folder's own time counts too, so that a
 * deleted file is noticed.
 */
async function newestMs(path) {
  const ownMs = await modifiedMs(path);
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const belowMs = entries.map((entry) =>
    entry.isDirectory() ? newestMs(join(path, entry.name)) : modifiedMs(join(path, entry.name)),
  );
  return Math.max(ownMs, ...(await Promise.all(belowMs)));
}

async function modifiedMs(path) {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? 0;
}

/** Removes what deleted sources left in dist/: it would be packed, and hide broken imports. */
async function removeOrphans(room) {
  const outputs = await readdir(join(root, 'dist', room), { recursive: true }).catch(() => []);
  const isOrphan = (file) => COMPILED.test(file) && !existsSync(join(root, room, file.replace(COMPILED, '.ts')));
  await Promise.all(outputs.filter(isOrphan).map(async (file) => rm(join(root, 'dist', room, file), { force: true })));
}
