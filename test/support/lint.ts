// Lints files that a test plants, with the project's own rules.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const OXLINT = join(dirname(createRequire(import.meta.url).resolve('oxlint/package.json')), 'bin/oxlint');
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

const reportSchema = z.object({
  diagnostics: z.array(z.object({ filename: z.string(), code: z.string().optional() })),
});
const configSchema = z.looseObject({ options: z.looseObject({}), jsPlugins: z.array(z.string()) });

/**
 * Lints files with the project's own rules, but those that need types.
 * @returns rules broken, by file
 */
export async function lint(files: ReadonlyMap<string, string>): Promise<Map<string, string[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'walls-'));
  try {
    const config = configSchema.parse(JSON.parse(await readFile(join(PROJECT, '.oxlintrc.json'), 'utf8')));
    await writeFile(
      join(folder, '.oxlintrc.json'),
      JSON.stringify({
        ...config,
        options: { ...config.options, typeAware: false },
        jsPlugins: config.jsPlugins.map((plugin) => join(PROJECT, plugin)),
      }),
    );
    for (const [path, text] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    // It ends with 1 when it finds something.
    const { stdout } = await promisify(execFile)(process.execPath, [OXLINT, '--format=json'], {
      cwd: folder,
      maxBuffer: OUTPUT_BYTES_MAX,
    }).catch((error: unknown) => z.object({ code: z.literal(1), stdout: z.string() }).parse(error));
    const found = new Map<string, string[]>();
    for (const { filename, code = '' } of reportSchema.parse(JSON.parse(stdout)).diagnostics)
      found.set(filename, [...(found.get(filename) ?? []), code]);
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
