// The workflows as one file of code for Temporal's sandbox. It is bundled once per state of the
// sources, not at each start.
import { bundleWorkflowCode, type Logger, type WorkflowBundleOption } from '@temporalio/worker';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The rooms whose code runs in the sandbox. */
const ROOMS = ['contracts', 'workflows'];
/** Packages whose code is bundled with them. */
const PACKAGES = ['@temporalio/worker', '@temporalio/workflow', 'zod'];
/** The module that loads what all workflows of a worker share. */
const PRELOAD = 'workflows/shared/preload';
/** The module that makes failures of errors. */
const FAILURES = 'workflows/shared/failure-converter';
const BUNDLE_FOLDER = join(ROOT, '.workflow-bundles');

/**
 * Reads the bundle of the present sources, or makes it (1 to 3 s) and keeps it beside the code if
 * that folder is writable.
 */
export async function workflowBundle(logger: Logger): Promise<WorkflowBundleOption> {
  const codePath = join(BUNDLE_FOLDER, `${await contentKey()}.js`);
  if (existsSync(codePath)) return { codePath };
  const code = await bundleWorkflows(logger);
  return (await keep(codePath, code)) ? { codePath } : { code };
}

/** Bundles the code that workers run. */
export async function bundleWorkflows(logger: Logger): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: compiledOrSource('workflows/index'),
    preloadModules: [compiledOrSource(PRELOAD)],
    failureConverterPath: compiledOrSource(FAILURES),
    logger,
  });
  return code;
}

/** The path of a module: compiled, or the source when tests run those. */
function compiledOrSource(module: string): string {
  const compiled = resolve(ROOT, `${module}.js`);
  return existsSync(compiled) ? compiled : resolve(ROOT, `${module}.ts`);
}

async function keep(codePath: string, code: string): Promise<boolean> {
  const draft = `${codePath}.${process.pid}`;
  try {
    await mkdir(BUNDLE_FOLDER, { recursive: true });
    await writeFile(draft, code);
    await rename(draft, codePath);
    const older = (await readdir(BUNDLE_FOLDER)).filter((file) => !file.startsWith(basename(codePath)));
    await Promise.all(older.map(async (file) => rm(join(BUNDLE_FOLDER, file), { force: true })));
    return true;
  } catch {
    // The installation is read-only, so the bundle is made again at the next start.
    return false;
  }
}

async function contentKey(): Promise<string> {
  const hash = createHash('sha256').update(PRELOAD).update(FAILURES);
  const { resolve: find } = createRequire(import.meta.url);
  for (const name of PACKAGES) hash.update(await readFile(find(`${name}/package.json`)));
  for (const room of ROOMS) {
    const files = (await readdir(join(ROOT, room), { recursive: true })).filter((file) => /\.[jt]s$/.test(file));
    for (const file of files.sort()) hash.update(`\0${room}/${file}\0`).update(await readFile(join(ROOT, room, file)));
  }
  return hash.digest('hex').slice(0, 32);
}
