// The history of an estate on the command line: timelines, bookmarks, and what the groups keep.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { ownershipSchema, recoveryPointSchema } from '../../contracts/point.js';
import { type Ran, runCommand, type Terminal } from '../support/cli.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

let fixture: EstateFixture;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
  const moved = await cli('move', 'vm-1-disk-0', '--to', 'cg-silver');
  expect(moved.exitCode, moved.stderr).toBe(EXIT.ok);
});

afterAll(async () => {
  await fixture.stop();
});

async function cli(...words: string[]): Promise<Ran> {
  return await cliOn({}, ...words);
}

async function cliOn(
  { environment, ...terminal }: Terminal & { readonly environment?: NodeJS.ProcessEnv },
  ...words: string[]
): Promise<Ran> {
  return runCommand({ VOLUME_MOVER_ESTATE: fixture.running.estateFile, ...environment }, words, terminal);
}

async function bookmark(...words: string[]): Promise<z.output<typeof recoveryPointSchema>> {
  const { stdout } = await cli('bookmark', ...words, '--json');
  return recoveryPointSchema.parse(JSON.parse(stdout));
}

test('a moved volume is drawn with a lane for each group, its bookmarks by letter and the newest points below', async () => {
  const { exitCode, stdout } = await cli('points', 'vm-1-disk-0');
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toMatch(/^cg-gold +┣?━.*┫$/m);
  expect(stdout).toMatch(/^cg-silver +┣━*▶$/m);
  expect(stdout).toMatch(/vm-1-disk-0 left for cg-silver[\s\S]*vm-1-disk-0 joined from cg-gold/);
  expect(stdout).toMatch(/^POINT +TIME .*KEEP +BOOKMARK$/m);
  const picture = stdout.slice(0, stdout.indexOf('\nPOINT'));
  expect(Math.max(...picture.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a terminal gets its width and colours, unless NO_COLOR is set', async () => {
  const terminal = { columns: 120, isTTY: true };
  expect((await cliOn(terminal, 'points', 'cg-silver')).stdout).toContain('\u001B[');
  const plain = await cliOn({ ...terminal, environment: { NO_COLOR: '1' } }, 'points', 'cg-silver', '--ascii');
  expect(plain.stdout).toMatch(/^[\n\x20-\x7E]+$/);
  expect(plain.stdout).toMatch(/^ +[-+]{90,}$/m);
});

test('the list has every point with how long it is kept, and --json the owners too', async () => {
  const { stdout } = await cli('points', 'vm-1-disk-0', '--list');
  expect(stdout).toMatch(/^POINT/);
  expect(stdout).toMatch(/ left +1? ?.* policy +vm-1-disk-0 left for cg-silver$/m);
  const json = await cli('points', 'vm-1-disk-0', '--json');
  const { owners, points } = z
    .object({ points: z.array(recoveryPointSchema), owners: z.array(ownershipSchema) })
    .parse(JSON.parse(json.stdout));
  expect(owners.map(({ group, epoch }) => [group, epoch])).toEqual([
    ['cg-gold', 1],
    ['cg-silver', 2],
  ]);
  expect(points.length).toBeGreaterThan(0);
});

test('--until leaves out what came later, and a range that ends before it begins is refused', async () => {
  const at = new Date().toISOString();
  const { id } = await bookmark('cg-gold', 'later');
  expect((await cli('points', 'cg-gold', '--list')).stdout).toContain(id);
  expect((await cli('points', 'cg-gold', '--list', '--until', at, '--since', '1d')).stdout).not.toContain(id);
  const refused = await cli('points', 'cg-gold', '--since', '1m', '--until', '1h');
  expect(refused).toMatchObject({ exitCode: EXIT.usage });
  expect(refused.stderr).toContain('since');
  expect((await cli('points', 'cg-gold', '--since', 'soon')).exitCode).toBe(EXIT.usage);
});

test('a bookmark is a point closed now, kept as asked', async () => {
  const before = Date.now();
  const kept = await bookmark('cg-gold', 'before the upgrade', '--keep', '30d');
  expect(kept).toMatchObject({
    group: 'cg-gold',
    kind: 'demand',
    bookmark: { name: 'before the upgrade', pending: false },
  });
  expect(kept.atMs).toBeGreaterThanOrEqual(before);
  expect(kept.bookmark?.keep).toEqual({ untilMs: (kept.clock?.ageMs ?? 0) + 30 * 86_400_000 });
  expect((await bookmark('cg-silver', 'on the other appliance')).bookmark?.keep).toBe('policy');
});

test('a locked bookmark is shortened by nobody', async () => {
  const { id } = await bookmark('cg-gold', 'before the audit');
  const lock = async (how: string) => cli('lock', id, '--for', how, '--operator', 'kim', '--reason', 'an audit');
  const { stdout, exitCode } = await lock('90d');
  expect(exitCode).toBe(EXIT.ok);
  const [, untilText = ''] = /^Locked "before the audit" \(point \S+ of cg-gold\) until (\S+)\.$/m.exec(stdout) ?? [];
  const shorter = await lock('89d');
  expect(shorter).toMatchObject({ exitCode: EXIT.refused, stdout: '' });
  expect(shorter.stderr).toContain(`is locked until ${untilText} (kim: an audit), and a lock is only lengthened.`);
  expect((await cli('bookmark', '--point', id, '--keep', 'policy')).stderr).toContain('(BOOKMARK_LOCKED)');
  expect((await cli('bookmark', '--point', id, 'mine', '--keep', 'forever')).stderr).toContain('(BOOKMARK_LOCKED)');
  expect((await cli('bookmark', '--point', id, '--keep', 'forever')).stdout).toContain(
    `kept: for ever, locked until ${untilText}`,
  );
  expect((await lock('366d')).exitCode).toBe(EXIT.ok);
  expect((await lock('367d')).exitCode).toBe(EXIT.usage);
  expect((await cli('points', 'cg-gold', '--list')).stdout).toContain('for ever, locked until ');
});

test('an earlier point can be named, and its bookmark kept longer under the same name', async () => {
  const point = await until('a point without a bookmark', PATIENCE_MS, async () => {
    const { stdout } = await cli('points', 'cg-gold', '--json');
    const { points } = z.object({ points: z.array(recoveryPointSchema) }).parse(JSON.parse(stdout));
    return points.find((candidate) => candidate.bookmark === undefined)?.id;
  });
  const unnamed = await cli('bookmark', '--point', point, '--keep', 'forever');
  expect(unnamed).toMatchObject({ exitCode: EXIT.usage });
  expect(unnamed.stderr).toContain('give it a name');
  expect((await bookmark('--point', point, 'found it', '--keep', '12h')).bookmark?.name).toBe('found it');
  expect((await bookmark('--point', point, '--keep', 'forever')).bookmark).toMatchObject({
    name: 'found it',
    keep: 'forever',
  });
  expect((await cli('points', 'cg-gold', '--list')).stdout).toMatch(/ for ever +found it$/m);
});

test.each([
  [['cg-gold'], EXIT.usage, 'name: give the bookmark a name'],
  [[], EXIT.usage, 'group: name the group'],
  [['cg-none', 'x'], EXIT.notFound, 'cg-none'],
  [['cg-gold', 'x', '--keep', 'long'], EXIT.usage, 'policy, forever, or'],
  [['--point', 'p-none', 'x', '--keep', 'policy'], EXIT.notFound, 'p-none'],
  [['--point', 'p-1', 'x'], EXIT.usage, '--keep'],
  [['--point', 'p-1', 'cg-gold', 'x', '--keep', 'policy'], EXIT.usage, 'the point says'],
])('bookmark %j is refused and says what to do', async (words, exitCode, says) => {
  const refused = await cli('bookmark', ...words);
  expect(refused.exitCode).toBe(exitCode);
  expect(refused.stderr).toContain(says);
});

test('the page is written once, and replaced only when that is asked for', async () => {
  const file = join(fixture.folder, 'pages', 'timeline.html');
  expect(await cli('points', 'vm-1-disk-0', '--html', file)).toMatchObject({ exitCode: EXIT.ok, stderr: '' });
  const page = await readFile(file, 'utf8');
  expect(page).toMatch(/^<!doctype html>[\s\S]*cg-gold[\s\S]*cg-silver[\s\S]*<\/html>\n$/);
  const again = await cli('points', 'cg-gold', '--html', file);
  expect(again.exitCode).toBe(EXIT.usage);
  expect(again.stderr).toContain('exists already');
  expect(await readFile(file, 'utf8')).toBe(page);
  expect((await cli('points', 'cg-gold', '--html', file, '--overwrite')).exitCode).toBe(EXIT.ok);
  expect(await readFile(file, 'utf8')).toContain('Recovery points of group cg-gold');
});

test('groups say what they keep and what their journals take', async () => {
  const { stdout } = await cli('groups');
  expect(stdout).toMatch(/^cg-gold .* all 1h, hourly 1d, daily 7d, weekly 28d +[\d.]+ \w+ of 64 GiB +0$/m);
  expect(stdout).not.toContain('Alert');
});
