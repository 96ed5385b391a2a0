// Image access on the command line, on an estate of real processes, a guest writing all the while.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const SIZE_BYTES = 8 * 1024 * 1024;

let fixture: EstateFixture;
let guest: Guest;
let connections: NbdClient[] = [];

beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  guest = await startGuest({ address, volume: 'vm-1-disk-0', seed: 7, writesPerSecond: 100 });
  await until('a point of the group', PATIENCE_MS, async () => {
    const { stdout } = await cli('points', 'cg-gold');
    return /^p\S+ .* 2 +- /m.exec(stdout) ?? undefined;
  });
});

afterAll(async () => {
  await Promise.all(connections.map(async (connection) => connection.disconnect()));
  await guest.stop();
  await fixture.stop();
});

async function cli(...words: string[]): Promise<Ran> {
  return runCommand({ VOLUME_MOVER_ESTATE: fixture.running.estateFile, USER: 'ada' }, words);
}

const openedSchema = z.object({
  access: z.object({
    id: z.string(),
    appliance: z.string(),
    point: z.string(),
    exports: z.array(z.object({ volume: z.string(), name: z.string(), uri: z.url() })),
    limit: z.object({ atMs: z.number(), why: z.string() }),
  }),
});

async function connect(uri: string): Promise<NbdClient> {
  const { hostname, port, pathname } = new URL(uri);
  const client = await connectNbd({ host: hostname, port: Number(port) }, pathname.slice(1));
  connections = [...connections, client];
  return client;
}

test('a group is opened, listed and closed; what was written to it is gone, and the guest never noticed', async () => {
  const before = guest.log.acknowledged;
  const opened = await cli('open', 'cg-gold', '--writable', '--for', '30m', '--reason', 'a drill', '--json');
  expect(opened.exitCode, opened.stdout).toBe(EXIT.ok);
  const { access } = openedSchema.parse(JSON.parse(opened.stdout));
  expect(access.appliance).toBe('appliance-1');
  expect(access.exports.map(({ volume }) => volume)).toEqual(['vm-1-disk-0', 'vm-1-disk-1']);
  expect(access.limit.atMs).toBeLessThanOrEqual(Date.now() + 30 * 60_000);

  const [first] = access.exports;
  if (first === undefined) throw new Error('no export');
  const disk = await connect(first.uri);
  expect(disk.sizeBytes).toBe(SIZE_BYTES);
  await disk.write(SIZE_BYTES - 5, Buffer.from('hello'));
  const listed = await cli('images');
  expect(listed.stdout).toMatch(
    new RegExp(`^${access.id} +cg-gold +${access.point} +writable +open until \\S+ +1 +0 B +5 B +\\S+ +ada$`, 'm'),
  );

  const closed = await cli('close', access.id);
  expect(closed.exitCode).toBe(EXIT.ok);
  expect(closed.stdout).toMatch(
    new RegExp(`^Access ${access.id} ended at \\S+ \\(closed\\); its writes are discarded`),
  );
  await disk.closed;
  expect((await cli('close', access.id)).exitCode).toBe(EXIT.ok);
  expect((await cli('images')).stdout).toMatch(new RegExp(`^${access.id} .* closed at `, 'm'));

  const again = await cli('open', 'vm-1-disk-0', '--point', access.point, '--json');
  const readOnly = openedSchema.parse(JSON.parse(again.stdout)).access;
  const [only] = readOnly.exports;
  if (only === undefined) throw new Error('no export');
  const image = await connect(only.uri);
  expect((await image.read(SIZE_BYTES - 5, 5)).toString()).not.toBe('hello');
  await expect(image.write(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'EPERM' });
  expect((await cli('close', readOnly.id)).exitCode).toBe(EXIT.ok);
  await until('more writes of the guest', PATIENCE_MS, async () =>
    guest.log.acknowledged > before ? true : undefined,
  );
});

test('people are told where each disk is, and how to close it', async () => {
  const { exitCode, stdout } = await cli('open', 'vm-1-disk-1', '--at', new Date().toISOString(), '--for', '5h');
  expect(exitCode).toBe(EXIT.ok);
  const [, id] =
    /^Access (\S+): volume vm-1-disk-1 at point p\S+, \S+, the last not later than \S+, read-only, until \S+ at the latest\.$/m.exec(
      stdout,
    ) ?? [];
  expect(stdout).toMatch(new RegExp(`^vm-1-disk-1 +8 MiB +nbd://127\\.0\\.0\\.1:\\d+/access-${id}/vm-1-disk-1$`, 'm'));
  // Five hours at most, and less if nobody comes: the two times are different things.
  const [latest, idle] = [/until (\S+) at the latest/, /^It ends at (\S+) already if no client is connected/m].map(
    (line) => Date.parse(line.exec(stdout)?.[1] ?? ''),
  );
  expect(latest).toBeGreaterThan(idle ?? Number.NaN);
  expect(stdout).toContain(`volume-mover close ${id}`);
  expect((await cli('close', id ?? '')).exitCode).toBe(EXIT.ok);
});

test('what does not exist ends with 5, what is not accepted with 2 and the field’s name', async () => {
  expect((await cli('open', 'no-such-thing')).exitCode).toBe(EXIT.notFound);
  expect((await cli('open', 'cg-gold', '--point', 'p-none')).exitCode).toBe(EXIT.notFound);
  expect((await cli('open', 'cg-gold', '--at', '2001-01-01T00:00:00Z')).exitCode).toBe(EXIT.notFound);
  expect((await cli('close', 'ffffffff')).exitCode).toBe(EXIT.notFound);
  expect((await cli('close', '../x')).exitCode).toBe(EXIT.usage);
  expect((await cli('open', 'cg-gold', '--for', 'soon')).exitCode).toBe(EXIT.usage);
  expect((await cli('open', 'cg-gold', '--point', 'p1', '--at', '2026-01-01')).exitCode).toBe(EXIT.usage);
  const tooLong = await cli('open', 'cg-gold', '--for', '8d');
  expect(tooLong.exitCode).toBe(EXIT.usage);
  expect(tooLong.stderr).toContain('forMs');
});

test('an appliance that does not answer is named, and hides no other’s accesses', async () => {
  const { stdout } = await cli('open', 'vm-1-disk-0', '--json');
  const { access } = openedSchema.parse(JSON.parse(stdout));
  const other = access.appliance === 'appliance-1' ? 'appliance-2' : 'appliance-1';
  await fixture.running.process(other).kill();
  const listed = await cli('images');
  expect(listed.exitCode).toBe(EXIT.ok);
  expect(listed.stdout).toMatch(new RegExp(`^${access.id} `, 'm'));
  expect(listed.stdout).toContain(`Appliance ${other} does not answer`);
  expect((await cli('close', access.id)).exitCode).toBe(EXIT.ok);
  expect((await cli('close', 'ffffffff')).exitCode).toBe(EXIT.unreachable);
  await fixture.running.process(other).start();
});
