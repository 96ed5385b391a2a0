// The rooms of a volume's journal: every import within it points down the table of
// docs/architecture.md.
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const JOURNAL = join(PROJECT, 'simulator/replica-site/journal');
/** The folder itself: its files are in no room. */
const TOP = '.';

/** The rooms in the table's order, which begins with the folder itself. */
async function roomsOfPage(): Promise<readonly string[]> {
  const page = await readFile(join(PROJECT, 'docs/architecture.md'), 'utf8');
  const section = page.slice(
    page.indexOf('The journal of a replica volume'),
    page.indexOf('No import closes a circle'),
  );
  return [TOP, ...[...section.matchAll(/^\| `([\w-]+)\/`/gm)].map(([, room = '']) => room)];
}

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

async function importsWithin(room: string): Promise<readonly Import[]> {
  const folder = join(JOURNAL, room);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  const ofFiles = names.map(async (name) => {
    const text = await readFile(join(folder, name), 'utf8');
    const targets = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path = '']) =>
      dirname(relative(JOURNAL, resolve(folder, path))),
    );
    return targets.filter((to) => !to.startsWith('..')).map((to) => ({ file: join(room, name), from: room, to }));
  });
  return (await Promise.all(ofFiles)).flat();
}

test('the table has every room of the journal', async () => {
  const entries = await readdir(JOURNAL, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect([...(await roomsOfPage())].sort()).toEqual([TOP, ...folders].sort());
});

test('every import within the journal points down the table', async () => {
  const rooms = await roomsOfPage();
  const imports = (await Promise.all(rooms.map(importsWithin))).flat();
  const upward = imports.filter(({ from, to }) => rooms.indexOf(to) < rooms.indexOf(from));
  expect(upward).toEqual([]);
  expect(imports.length).toBeGreaterThan(100);
});
