// Verifying from the command line, on an estate of real processes and a real Temporal server, a
// guest writing all the while.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import type { Verification } from '../../client/verifications/verification-client.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { VERIFY_REGION_BYTES, verifyReportSchema } from '../../contracts/verify.js';
import { withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { REPLICA_SITE_ID, WORKER_ID } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { type Ran, runCommand } from '../support/cli.js';
import { flipBit } from '../support/flip-bit.js';
import { lastOf } from '../support/last-of.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const SIZE_BYTES = 8 * 1024 * 1024;
const REGIONS = SIZE_BYTES / VERIFY_REGION_BYTES;
/** Its guest writes. */
const BUSY = volumeIdSchema.parse('vm-1-disk-0');
const QUIET = volumeIdSchema.parse('vm-1-disk-1');

let fixture: EstateFixture;
let client: MoverClient;
let guest: Guest;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
  client = createMoverClient({ estate: fixture.running.estate, environment: {} });
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  for (const name of [BUSY, QUIET])
    await withExport({ address, name }, async (disk) => disk.write(0, randomBytes(SIZE_BYTES)));
  guest = await startGuest({ address, volume: BUSY, seed: 7, writesPerSecond: 200 });
});

afterAll(async () => {
  await guest.stop();
  await client.close();
  await fixture.stop();
});

async function cli(...words: string[]): Promise<Ran> {
  return runCommand({ VOLUME_MOVER_ESTATE: fixture.running.estateFile }, words);
}

const answerSchema = z.object({
  state: z.string(),
  report: verifyReportSchema,
  error: z.object({ code: z.string(), detail: z.string() }).optional(),
});

test('a volume under its guest’s writes is found to be the same, and the verdict is a sentence', async () => {
  const { exitCode, stdout } = await cli('verify', BUSY);
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toMatch(/^Volume vm-1-disk-0 and its replica are the same: all 128 regions \(8 MiB\), compared in /m);
  expect(stdout).toMatch(/^ {2}regions 0 to 127 as of \d{4}-/m);
});

test('verifications are listed, shown and cancelled', async () => {
  const { verificationId } = await client.verifications.start({ volume: QUIET, bytesPerSecond: 1024 * 1024 });
  await untilTrue('it is listed as running', PATIENCE_MS, async () =>
    (await cli('verification', 'list', '--running')).stdout.includes(verificationId),
  );
  const running = await cli('verification', 'status', verificationId);
  expect(running.exitCode).toBe(EXIT.ok);
  expect(running.stdout).toContain(`Verification ${verificationId}: running`);
  const cancelled = await cli('verification', 'cancel', verificationId);
  expect(cancelled.exitCode).toBe(EXIT.ok);
  expect(cancelled.stdout).toContain(`Verification ${verificationId} is being cancelled.`);
  await lastOf(client.verifications.follow(verificationId));
  const status = await cli('verification', 'status', verificationId);
  expect(status.exitCode).toBe(EXIT.failed);
  expect(status.stdout).toContain('was cancelled; it has no result');
  await untilTrue('its outcome is listed', PATIENCE_MS, async () =>
    (await cli('verification', 'list', '--outcome', 'cancelled')).stdout.includes(verificationId),
  );
  const listedSchema = z.object({ verifications: z.array(z.object({ volume: z.string(), state: z.string() })) });
  const listed = listedSchema.parse(JSON.parse((await cli('verification', 'list', '--json')).stdout));
  expect(listed.verifications).toContainEqual({ volume: QUIET, state: 'cancelled' });
  expect(listed.verifications).toContainEqual({ volume: BUSY, state: 'same' });
});

test('a verification that does not exist is named, with what to type', async () => {
  const { exitCode, stderr } = await cli('verification', 'status', 'no-such-verification');
  expect(exitCode).toBe(EXIT.notFound);
  expect(stderr).toContain('VERIFICATION_NOT_FOUND');
  expect(stderr).toContain('volume-mover verification list');
});

test('a verification is not disturbed by a move of its volume, nor by its worker being killed, and goes on at the same point', async () => {
  // Eight megabytes at one a second: both come in between.
  const started = await client.verifications.start({ volume: BUSY, bytesPerSecond: 1024 * 1024 });
  const compared = async (): Promise<number> =>
    (await client.verifications.get(started.workflowId)).progress?.nextRegion ?? 0;
  await untilTrue('something is compared', PATIENCE_MS, async () => (await compared()) > 0);
  const moved = await client.moves.start({ volume: BUSY, to: groupIdSchema.parse('cg-silver') });
  const move = await lastOf(client.moves.follow(moved.moveId));
  expect(move.state).toBe('moved');
  const before = await compared();
  await fixture.running.process(WORKER_ID).kill();
  await fixture.running.process(WORKER_ID).start();
  let ended: Verification | undefined;
  for await (ended of client.verifications.follow(started.workflowId))
    if (ended.progress !== undefined) expect(ended.progress.nextRegion).toBeGreaterThanOrEqual(before);
  expect(ended).toMatchObject({ state: 'same', report: { volume: BUSY, regions: REGIONS, mismatchedRegions: 0 } });
  expect(ended?.report?.points).toMatchObject([{ fromRegion: 0, toRegion: REGIONS }]);
});

test('a move that verifies its volume says so in its report and its steps', async () => {
  const { exitCode, stdout, stderr } = await cli('move', BUSY, '--to', 'cg-gold', '--verify');
  expect(exitCode).toBe(EXIT.ok);
  expect(stderr).toMatch(/✓ verify .* volume and replica are the same/);
  expect(stdout).toMatch(/vm-1-disk-0 {2}verified: all 128 regions/);
});

test('a bit that flipped at the source: the range is named, the replica is as it was written, exit code 1', async () => {
  await waitUntilQuiet(client, { volume: QUIET, timeoutMs: PATIENCE_MS });
  const at = 9 * VERIFY_REGION_BYTES;
  await flipBit(join(fixture.folder, `host-1/volumes/${QUIET}.img`), at + 100);
  const { exitCode, stdout } = await cli('verify', QUIET, '--json');
  expect(exitCode).toBe(EXIT.failed);
  const answer = answerSchema.parse(JSON.parse(stdout));
  expect(answer).toMatchObject({ state: 'different', error: { code: 'VERIFY_MISMATCH' } });
  expect(answer.report.mismatches).toEqual([{ offset: at, length: VERIFY_REGION_BYTES, fault: 'differs' }]);
  expect(answer.error?.detail).toContain('the fault is in the source or in the transfer');
});

test('what a verification found is sent again, and nothing else; after that both are the same', async () => {
  const found = await cli('verify', QUIET);
  expect(found.exitCode).toBe(EXIT.failed);
  const [, id = ''] = /volume-mover resync vm-1-disk-1 --verified (\S+)/.exec(found.stdout + found.stderr) ?? [];
  const { resentBytes } = await client.volumes.splitterView(QUIET);
  const sent = await cli('resync', QUIET, '--verified', id, '--wait', '--reason', 'a drill');
  expect(sent, sent.stderr).toMatchObject({ exitCode: EXIT.ok });
  expect((await client.volumes.splitterView(QUIET)).resentBytes - resentBytes).toBe(VERIFY_REGION_BYTES);
  expect((await cli('verify', QUIET)).stdout).toMatch(/are the same: all 128 regions/);
  expect(await cli('resync', QUIET, '--verified', 'no-such-verification')).toMatchObject({ exitCode: EXIT.notFound });
});

test('a bit that flipped in the replica too: both ranges, each with the side at fault; then it heals by itself', async () => {
  await flipBit(join(fixture.folder, `host-1/volumes/${QUIET}.img`), 9 * VERIFY_REGION_BYTES + 100);
  await flipBit(join(fixture.folder, `${REPLICA_SITE_ID}/volumes/${QUIET}/replica.img`), 20 * VERIFY_REGION_BYTES);
  const { exitCode, stdout } = await cli('verify', QUIET, '--rate', '50');
  expect(exitCode).toBe(EXIT.failed);
  expect(stdout).toMatch(/differ in 2 of 128 regions/);
  expect(stdout).toMatch(/^589824 +64 KiB +differs; the checksums of the replica hold$/m);
  expect(stdout).toMatch(/^1310720 +64 KiB +the replica fails its own checksum$/m);
  // Damage puts the whole volume in doubt, so that what differs without damage is sent too.
  await untilTrue(
    'both are the same',
    PATIENCE_MS,
    async () => (await cli('verify', QUIET, '--rate', '50')).exitCode === EXIT.ok,
  );
  await waitUntilQuiet(client, { volume: QUIET, timeoutMs: PATIENCE_MS });
});

test('a move whose verification finds a mismatch fails loudly, and says that the move itself is done', async () => {
  await flipBit(join(fixture.folder, `host-1/volumes/${QUIET}.img`), 9 * VERIFY_REGION_BYTES + 100);
  const { exitCode, stderr } = await cli('move', QUIET, '--to', 'cg-silver', '--verify');
  expect(exitCode).toBe(EXIT.failed);
  expect(stderr).toContain('VERIFY_MISMATCH');
  expect(stderr).toContain('The move is done: group "cg-silver" owns "vm-1-disk-1".');
  expect(stderr).toContain('bytes 589824 to 655359');
  expect((await cli('volumes')).stdout).toMatch(/^vm-1-disk-1 .* cg-silver +2 /m);
});

test('what is not there, and what is not accepted, is refused, and starts no workflow', async () => {
  const before = await client.verifications.list();
  const missing = await cli('verify', 'vm-9');
  expect(missing.exitCode).toBe(EXIT.notFound);
  expect(missing.stderr).toContain('There is neither a group nor a volume "vm-9"');
  expect((await cli('verify', 'cg-gold')).stderr).toContain('"cg-gold" is a group; a verification compares one volume');
  expect((await cli('verify', BUSY, '--rate', 'fast')).exitCode).toBe(EXIT.usage);
  await expect(client.verifications.get('no-such-verification')).rejects.toMatchObject({
    code: 'VERIFICATION_NOT_FOUND',
  });
  expect(await client.verifications.list()).toEqual(before);
});

test('a verification is no move, and says which command shows it', async () => {
  const [listed] = await client.verifications.list({ limit: 1 });
  for (const command of ['status', 'report']) {
    const { exitCode, stderr } = await cli(command, listed?.verificationId ?? '');
    expect(exitCode).toBe(EXIT.notFound);
    expect(stderr).toContain('is not a move; it is a verification.');
    expect(stderr).toContain(`To see it: volume-mover verification status ${listed?.verificationId}\n`);
  }
});

test('a cancelled verification ends without a verdict, and the volume can be verified again at once', async () => {
  const { workflowId } = await client.verifications.start({ volume: BUSY, bytesPerSecond: VERIFY_REGION_BYTES });
  await untilTrue(
    'it is under way',
    PATIENCE_MS,
    async () => (await client.verifications.get(workflowId)).progress?.open !== undefined,
  );
  await client.verifications.cancel(workflowId);
  expect(await lastOf(client.verifications.follow(workflowId))).toMatchObject({ state: 'cancelled' });
  expect((await cli('verify', BUSY)).exitCode).toBe(EXIT.ok);
});
