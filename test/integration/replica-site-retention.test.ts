// Retention on a running replica site: a full journal drops its group's own oldest points, says so,
// and never stops a write.
import { afterEach, expect, test } from 'vitest';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { KeepRequest } from '../../contracts/retention.js';
import { G1, refusal, S1, SiteWorld, until, V1, type RunningSite } from './replica-site-fixture.js';
import { block, TestSplitter } from './test-splitter.js';

const MIB = 1024 * 1024;
const KIB = 1024;
/** Bytes of one write. */
const WRITE_BYTES = 64 * KIB;
/** Writes between two points, each time to the same places: half of the journal's limit. */
const WRITES_PER_POINT = 8;
/** Points closed in all. */
const CLOSED = 9;
const SITE = { retentionEveryMs: 50, settledAfterMs: 100 };

let world: SiteWorld;
afterEach(async () => world.stop());

test('a full journal drops the oldest points of its group, keeps what was promised, says so, and takes every write', async () => {
  world = new SiteWorld(undefined, { journalBytesMax: MIB });
  const site = await world.site(SITE);
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  let n = 0;
  const point = async (bookmark?: string, keep?: KeepRequest): Promise<RecoveryPoint> => {
    for (let i = 0; i < WRITES_PER_POINT; i += 1) {
      n += 1;
      splitter.write(1, n, (n % WRITES_PER_POINT) * WRITE_BYTES, block(n, WRITE_BYTES));
    }
    await splitter.confirmed(1, n);
    const named = { ...(bookmark === undefined ? {} : { bookmark }), ...(keep === undefined ? {} : { keep }) };
    const cuts = [{ volume: V1, session: 1, n }];
    return site.control.closePoint({
      group: G1,
      kind: 'demand',
      atMs: Date.now(),
      cuts,
      leftOut: [],
      waitMs: 5_000,
      ...named,
    });
  };
  const promised = await point('for ever', 'forever');
  const second = await point();
  for (let i = 0; i < CLOSED - 3; i += 1) await point();
  const newest = await point();
  const points = async (): Promise<RecoveryPoint[]> => (await site.control.listPoints({ group: G1 })).points;
  const isOver = async (): Promise<boolean> => {
    const { bytes, alert, pointsDropped } = await journalOf(site);
    return alert !== undefined && bytes <= MIB && pointsDropped === CLOSED - (await points()).length;
  };
  await until(isOver, 'the journal is within its limit, and says why');
  const ids = (await points()).map(({ id }) => id);
  expect(ids).toContain(promised.id);
  expect(ids).toContain(newest.id);
  expect(ids).not.toContain(second.id);
  const opened = await site.control.openImage({ volume: V1, point: promised.id, client: 'test' });
  expect(opened.position).toBe(WRITES_PER_POINT);
  const dropped = site.control.openImage({ volume: V1, point: second.id, client: 'test' });
  expect(await refusal(dropped)).toBe('POINT_NOT_FOUND');
  const isTold = async (): Promise<boolean> => {
    const alert = (await journalOf(site)).alert?.message;
    return alert !== undefined && (await site.control.health({})).notes.includes(alert);
  };
  await until(isTold, 'the health tells what the listing does');
});

test('one old bookmark costs at most one image of what changed since, however often that is overwritten', async () => {
  world = new SiteWorld();
  const site = await world.site(SITE);
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  const writes = 640;
  const write = (n: number): void => splitter.write(1, n, (n % 2) * WRITE_BYTES, block(n, WRITE_BYTES));
  const cuts = (n: number) => [{ volume: V1, session: 1, n }];
  const close = async (n: number, keep: KeepRequest) =>
    site.control.closePoint({
      group: G1,
      kind: 'demand',
      atMs: Date.now(),
      cuts: cuts(n),
      leftOut: [],
      waitMs: 5_000,
      bookmark: 'kept',
      keep,
    });
  for (let n = 1; n <= 2; n += 1) write(n);
  await splitter.confirmed(1, 2);
  const kept = await close(2, 'forever');
  for (let n = 3; n <= writes; n += 1) write(n);
  await splitter.confirmed(1, writes);
  await close(writes, 'policy');
  const image = 2 * WRITE_BYTES;
  const isOneImage = (bytes: number): boolean => bytes > image && bytes <= image * 1.1;
  await until(async () => isOneImage((await journalOf(site)).bytes), 'consolidated to one image');
  await until(() => undoBytes() < image * 4, 'the files are as small');
  const { image: id } = await site.control.openImage({ volume: V1, point: kept.id, client: 'test' });
  const bytes = await (await fetch(`${site.url}/v1/images/read?image=${id}&offset=0&length=${image}`)).arrayBuffer();
  expect(Buffer.from(bytes).equals(Buffer.concat([block(2, WRITE_BYTES), block(1, WRITE_BYTES)]))).toBe(true);
});

async function journalOf(site: RunningSite) {
  const { groups } = await site.control.groups({});
  const group = groups.find((candidate) => candidate.group === G1);
  if (group === undefined) throw new Error('no group');
  return group.journal;
}

function undoBytes(): number {
  const folder = join(world.folder, 'site', 'volumes', V1);
  const names = readdirSync(folder).filter((name) => name.startsWith('undo-'));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
