// What a person decides about a disk, on real processes that are killed in the middle of it: it
// ends whole, or it is repeated.
import { copyFileSync, existsSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { volumeIdSchema } from '../../contracts/ids.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';

const MIB = 1024 * 1024;
const SIZE_MIB = 32;
const A = volumeIdSchema.parse('vm-1-disk-0');
const HOST = 'host-1';

let estate: TestEstate;
/** What the guest wrote: everywhere, so that a copy takes its time. */
const content = Buffer.alloc(SIZE_MIB * MIB);
for (let at = 0; at < content.length; at += 4096) content.writeUInt32BE(at + 1, at);

beforeAll(async () => {
  const address = inject('temporalAddress');
  const namespace = await createNamespace(address);
  estate = await TestEstate.start({
    estate: estateOf({ groups: { 'cg-gold': { appliance: 'appliance-1', volumes: [A] } }, sizeMiB: SIZE_MIB }),
    temporal: { address, namespace, uiUrl: undefined },
  });
  await withExport(await estate.source(A), async (disk) => {
    for (let at = 0; at < content.length; at += MIB) await disk.write(at, content.subarray(at, at + MIB));
  });
});
afterAll(async () => estate.stop());

/** Replicated whole, with a recovery point of it; then the disk is gone, and refused. */
beforeEach(async () => {
  await expectWhole();
  await untilTrue('a point with all of it', PATIENCE_MS, async () => {
    const [{ confirmed }, { points }] = await Promise.all([
      estate.client.volumes.splitterView(A),
      estate.client.points.list({ volume: A }),
    ]);
    const member = points.at(-1)?.members.find(({ volume }) => volume === A);
    return member !== undefined && member.position === confirmed?.position;
  });
  await estate.process(HOST).stop();
  rmSync(disk());
  await estate.process(HOST).start();
  expect(await stateNow()).toBe('missing');
});

function disk(): string {
  return join(estate.folder, HOST, 'volumes', `${A}.img`);
}

async function stateNow(): Promise<string> {
  return (await estate.client.volumes.splitterView(A)).source.state;
}

/** The guest's disk is as it was written, and so is its replica. */
async function expectWhole(): Promise<void> {
  await untilTrue('the disk is there', PATIENCE_MS, async () => (await stateNow()) === 'present');
  await estate.quiet(A);
  expect((await readFile(disk())).equals(content)).toBe(true);
  const source = await estate.source(A);
  const { differentBytes } = await until('an image of the newest position', PATIENCE_MS, async () =>
    compareExports(source, await estate.image(A)).catch(() => undefined),
  );
  expect(differentBytes).toBe(0);
}

async function restartedHost(): Promise<void> {
  await estate.process(HOST).kill();
  await estate.process(HOST).start();
}

/** Kills the host as soon as a file of that name comes or goes in the folder of the disks. */
async function killedAt(name: string, order: () => Promise<unknown>): Promise<void> {
  const seen = new Promise<void>((resolve) => {
    const watcher = watch(dirname(disk()), (_kind, changed) => {
      if (changed !== name) return;
      watcher.close();
      resolve(estate.process(HOST).kill());
    });
  });
  await order().catch(() => undefined);
  await seen;
}

const recover = async (): Promise<unknown> => estate.client.volumes.decideSource({ volume: A, decision: 'recover' });

test('kill -9 before the copy has begun: the disk is missing still, and the decision is repeated', async () => {
  const ordered = recover().catch(() => undefined);
  await untilTrue('it is being recovered', PATIENCE_MS, async () => (await stateNow()) === 'recovering');
  await restartedHost();
  await ordered;
  expect(['missing', 'present']).toContain(await stateNow());
  if ((await stateNow()) === 'missing') await recover();
  await expectWhole();
});

test('a volume whose disk is being recovered is not retired: the copy would take the place of its disk', async () => {
  estate.process('appliance-1').signal('SIGSTOP');
  const ordered = recover().catch(() => undefined);
  await untilTrue('it is being recovered', PATIENCE_MS, async () => (await stateNow()) === 'recovering');
  const retire = estate.splitter(HOST).calls.retireVolume({ volume: A, unsynced: true, dryRun: true });
  const refusal = await retire.catch((error: unknown) => error);
  estate.process('appliance-1').signal('SIGCONT');
  expect(refusal).toMatchObject({ reasons: [{ code: 'VOLUME_BUSY', subject: A }] });
  await ordered;
  if ((await stateNow()) === 'missing') await recover();
  await expectWhole();
});

test('kill -9 in the middle of the copy: what was copied is no disk, and is made anew', async () => {
  await killedAt(`${A}.img.recovering`, recover);
  expect(existsSync(disk())).toBe(false);
  await estate.process(HOST).start();
  expect(await stateNow()).toBe('missing');
  await recover();
  await expectWhole();
  expect(existsSync(`${disk()}.recovering`)).toBe(false);
});

test('killed right before the rename: a whole copy beside the disk’s place is no disk either', async () => {
  await estate.process(HOST).kill();
  writeFileSync(`${disk()}.recovering`, content);
  await estate.process(HOST).start();
  expect(await stateNow()).toBe('missing');
  await recover();
  await expectWhole();
});

test('killed right after the rename, with nothing stored of the decision: it is missing still, and repeated', async () => {
  await estate.process(HOST).kill();
  writeFileSync(`${disk()}.recovering`, content);
  await rename(`${disk()}.recovering`, disk());
  await estate.process(HOST).start();
  expect(await stateNow()).toBe('missing');
  await withExport(await estate.source(A), async (guest) => expect(guest.read(0, 4096)).rejects.toThrow('EIO'));
  await recover();
  await expectWhole();
});

test('kill -9 at the rename: missing, or the whole disk', async () => {
  await killedAt(`${A}.img`, recover);
  await estate.process(HOST).start();
  const state = await stateNow();
  expect(['missing', 'present']).toContain(state);
  if (state === 'missing') await recover();
  await expectWhole();
});

test('a copy of the disk that is put in its place and accepted is the disk, and its replica follows', async () => {
  const older = Buffer.from(content);
  older.fill(0x5a, MIB, 2 * MIB);
  writeFileSync(`${disk()}.copy`, older);
  copyFileSync(`${disk()}.copy`, disk());
  rmSync(`${disk()}.copy`);
  await estate.client.volumes.decideSource({
    volume: A,
    decision: 'accept',
    operator: 'ada',
    reason: 'from the backup',
  });
  await untilTrue('the disk is there', PATIENCE_MS, async () => (await stateNow()) === 'present');
  await estate.quiet(A);
  expect(readFileSync(disk()).equals(older)).toBe(true);
  const { differentBytes } = await until('an image of the newest position', PATIENCE_MS, async () =>
    compareExports(await estate.source(A), await estate.image(A)).catch(() => undefined),
  );
  expect(differentBytes).toBe(0);
  // Only what differs was sent.
  expect((await estate.client.volumes.splitterView(A)).resentBytes).toBe(MIB);
  const { holes } = await estate.client.points.list({ volume: A });
  expect(holes.at(-1)?.reason).toContain('the disk that is there was accepted by ada: from the backup');
  await restartedHost();
  expect(await stateNow()).toBe('present');
  await withExport(await estate.source(A), async (guest) =>
    expect((await guest.read(MIB, MIB)).equals(older.subarray(MIB, 2 * MIB))).toBe(true),
  );
});
