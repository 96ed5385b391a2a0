// Somebody who has nothing but the tarball: an empty folder, npm, the TypeScript compiler and a
// Node.js.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** An installation from an empty cache, on a loaded machine. */
const RUN_MS_MAX = 240_000;
/**
 * No look at the registry for what the cache has; install scripts are not needed. An engine that is
 * too old is an error.
 */
const INSTALL = ['install', '--loglevel=warn', '--engine-strict', '--ignore-scripts', '--prefer-offline'];
const QUIETLY = ['--no-audit', '--no-fund'];

/** What `npm run` and vitest set for the tests themselves. How the registry is reached stays. */
const OF_THE_TESTS =
  /^(npm_(?!config_).*|npm_config_(local_prefix|loglevel)|NODE_(OPTIONS|ENV)|(TEMPORAL|VOLUME_MOVER|VITEST).*)$/i;

export interface Ran {
  readonly exitCode: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

const manifestSchema = z.object({ version: z.string(), devDependencies: z.record(z.string(), z.string()) });
export type Manifest = z.infer<typeof manifestSchema>;

export async function readManifest(): Promise<Manifest> {
  return manifestSchema.parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
}

/** Packs the product as `npm publish` does. @returns the tarball's path */
export async function pack(folder: string): Promise<string> {
  const { exitCode, stderr } = await run(process.execPath, [await npmCli(), 'pack', '--pack-destination', folder], {
    cwd: ROOT,
  });
  const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
  if (exitCode !== 0 || tarball === undefined) throw new Error(`npm pack failed: ${stderr}`);
  return join(folder, tarball);
}

export class Stranger {
  readonly folder: string;
  /** Variables for its programs: where the Temporal server is. */
  readonly #environment: NodeJS.ProcessEnv;
  #node = process.execPath;

  private constructor(folder: string, environment: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#environment = environment;
  }

  static async arrive(environment: NodeJS.ProcessEnv = {}): Promise<Stranger> {
    const folder = await mkdtemp(join(tmpdir(), 'vm-stranger-'));
    await writeFile(join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n');
    return new Stranger(folder, environment);
  }

  /** Takes another Node.js for everything from now on: npm's package `node` has the binaries. */
  async useNode(major: number): Promise<string> {
    const own = join(this.folder, 'node');
    await mkdir(own);
    await writeFile(join(own, 'package.json'), '{ "private": true }\n');
    const words = ['install', `node@${major}`, '--loglevel=error', '--prefer-offline', ...QUIETLY];
    const { exitCode, stderr } = await run(process.execPath, [await npmCli(), ...words], { cwd: own });
    if (exitCode !== 0) throw new Error(`Node.js ${major} could not be had: ${stderr}`);
    this.#node = join(own, 'node_modules', 'node', 'bin', 'node');
    return (await this.node('--version')).stdout.trim();
  }

  async install(...packages: readonly string[]): Promise<Ran> {
    return await this.node(await npmCli(), ...INSTALL, ...QUIETLY, ...packages);
  }

  async copyExamples(): Promise<string[]> {
    const from = join(ROOT, 'examples');
    const names = (await readdir(from)).filter((name) => name.endsWith('.ts'));
    await Promise.all(names.map(async (name) => copyFile(join(from, name), join(this.folder, name))));
    return names.sort();
  }

  /** Writes each TypeScript block of a page as a module of its own. @returns their names */
  async copyBlocks(page: string): Promise<string[]> {
    const text = await readFile(join(ROOT, page), 'utf8');
    const blocks = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, block = '']) => block);
    const names = blocks.map((_block, index) => `${page.replace(/\W/g, '-')}-${index + 1}.ts`);
    await Promise.all(blocks.map(async (block, i) => writeFile(join(this.folder, names[i] ?? ''), block)));
    return names;
  }

  async node(...words: readonly string[]): Promise<Ran> {
    return await run(this.#node, words, { cwd: this.folder, env: this.#env({}) });
  }

  /** Runs a line as a person types it, standard error in the midst of its output. */
  async shell(line: string): Promise<Ran> {
    return await run('bash', ['-c', `{ ${line}\n} 2>&1`], { cwd: this.folder, env: this.#env({}) });
  }

  /** Runs a module of the folder. */
  async program(name: string, environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return await run(this.#node, [name], { cwd: this.folder, env: this.#env(environment) });
  }

  /**
   * Starts a module with its arguments and waits for a line. Whoever starts it stops it.
   * @throws Error with its output when it ends before that line
   */
  async start(words: readonly string[], line: RegExp): Promise<ChildProcess> {
    const child = spawn(this.#node, words, {
      cwd: this.folder,
      env: this.#env({}),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const said = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (line.test(output)) resolve();
        });
    });
    const ended = once(child, 'close').then(() => {
      throw new Error(`${words.join(' ')} ended before it said ${line}: ${output}`);
    });
    // Its end after that line is no failure.
    ended.catch(() => undefined);
    await Promise.race([said, ended]);
    return child;
  }

  async leave(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The environment without what `npm run` sets for the tests, and without anybody's Temporal. */
  #env(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const path = [join(this.#node, '..'), process.env['PATH'] ?? ''].join(delimiter);
    const kept = Object.entries(process.env).filter(([name]) => !OF_THE_TESTS.test(name));
    return { ...Object.fromEntries(kept), PATH: path, ...this.#environment, ...more };
  }
}

export async function stop(child: ChildProcess): Promise<number | null> {
  const closed = once(child, 'close');
  child.kill('SIGINT');
  await closed;
  return child.exitCode;
}

/** The npm on PATH as a module, so that another Node.js can run the same one. */
async function npmCli(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = await realpath(join(folder, 'npm')).catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error('There is no npm on PATH.');
}

async function run(
  program: string,
  words: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Ran> {
  return await new Promise((resolve) => {
    execFile(program, words, { ...options, timeout: RUN_MS_MAX, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : (error.code ?? error.message), stdout, stderr });
    });
  });
}
