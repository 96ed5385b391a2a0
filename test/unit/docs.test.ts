// What the pages point at is there: their links, and the files that the contributor's checklists
// name.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['', 'docs', 'docs/api', 'docs/decisions', 'docs/tutorial', 'examples', 'test'];

async function pages(): Promise<string[]> {
  const found = await Promise.all(
    FOLDERS.map(async (folder) => (await readdir(join(ROOT, folder))).map((name) => join(folder, name))),
  );
  return found.flat().filter((name) => name.endsWith('.md'));
}

/** The anchor that GitHub makes: lower case, no punctuation, hyphens for spaces. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

async function isThere(page: string, link: string): Promise<boolean> {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(ROOT, target))) return false;
  if (anchor === undefined) return true;
  const headings = (await readFile(join(ROOT, target), 'utf8')).match(/^#+ .*$/gm) ?? [];
  return headings.some((heading) => anchorOf(heading.replace(/^#+ /, '')) === anchor);
}

test('every link of a page to a file or a heading leads somewhere', async () => {
  const broken: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(join(ROOT, page), 'utf8');
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g))
      if (!/^[a-z]+:/.test(link) && !(await isThere(page, link))) broken.push(`${page}: ${link}`);
  }
  expect(broken).toEqual([]);
});

test('every file that the contributor’s checklists name exists', async () => {
  const text = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const named = [...text.matchAll(/`([a-z.-]+\/[A-Za-z0-9/_.-]*)`/g)].map(([, path = '']) => path);
  const packages = /^volume-mover\//;
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !packages.test(path) && !existsSync(join(ROOT, path)))).toEqual([]);
});
