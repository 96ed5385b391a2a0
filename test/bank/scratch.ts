// A copy of the sources in which bugs are planted: the work tree is never touched.
import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { plant } from './plant.js';
import type { Bug } from './bug.js';

/** What a copy does not need, by name. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.git', '.estate', 'coverage', 'dist', 'node_modules', 'test-output']);

export class Scratch {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Copies the repository. Its packages are links, so that no tool writes into the original's. */
  static async copyOf(repository: string): Promise<Scratch> {
    const folder = await mkdtemp(join(tmpdir(), 'bug-bank-'));
    await cp(repository, folder, { recursive: true, filter: (source) => !LEFT_OUT.has(basename(source)) });
    const packages = join(folder, 'node_modules');
    await mkdir(packages);
    for (const name of await readdir(join(repository, 'node_modules')))
      if (!name.startsWith('.vite')) await symlink(join(repository, 'node_modules', name), join(packages, name));
    return new Scratch(folder);
  }

  /** Runs work while the bug is planted. */
  async with<Result>(bug: Bug, work: () => Promise<Result>): Promise<Result> {
    const path = join(this.folder, bug.file);
    const sound = await readFile(path, 'utf8');
    await writeFile(path, plant(sound, bug));
    try {
      return await work();
    } finally {
      await writeFile(path, sound);
    }
  }

  /** Removes the copy. At once, since it must also go when the process is interrupted. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
