// The programs in the pages are TypeScript that compiles against the SDK as it is.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PROJECT = process.cwd();
const OUTPUT = join(PROJECT, 'test-output');
const PAGES = ['sdk', 'schedules'];
const PROGRAM = /^```ts\n(.*?)^```$/gms;

test('the programs in the pages about the SDK compile', async () => {
  await mkdir(OUTPUT, { recursive: true });
  // Inside the project, so that they find its types.
  const folder = await mkdtemp(join(OUTPUT, 'pages-'));
  try {
    for (const page of PAGES) {
      const text = await readFile(`docs/${page}.md`, 'utf8');
      const programs = [...text.matchAll(PROGRAM)].map(([, program = '']) => program);
      expect(programs).not.toHaveLength(0);
      for (const [i, program] of programs.entries()) await writeFile(join(folder, `${page}-${i}.ts`), program);
    }
    const options = { paths: { 'volume-mover': [join(PROJECT, 'client/index.ts')] } };
    const config = { extends: join(PROJECT, 'tsconfig.json'), compilerOptions: options, include: [folder] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiled = promisify(execFile)(join(PROJECT, 'node_modules/.bin/tsc'), ['-p', folder]);
    const said = await compiled.then(
      () => '',
      (failed: unknown) => (failed instanceof Error && 'stdout' in failed ? String(failed.stdout) : String(failed)),
    );
    expect(said).toBe('');
  } finally {
    await rm(folder, { recursive: true });
  }
});
