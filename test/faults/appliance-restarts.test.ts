// Kills the appliance and the replica site again and again in the midst of writing and closing
// points: nothing confirmed is lost, and every point that was answered has exactly its writes.
import { randomInt } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { IMAGE_READ_PATH } from '../../contracts/replica-site-api.js';
import type { PointId } from '../../contracts/ids.js';
import { Chance } from '../simulation/virtual-time.js';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import { G1, S1, SiteWorld, SIZE_BYTES, until, V1 } from '../integration/replica-site-fixture.js';
import { block, TestSplitter, VolumeModel } from '../integration/test-splitter.js';

const LIVES = 6;
const WRITES_PER_LIFE = 2_000;

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

test('confirmed writes and answered points survive kill -9 of appliance and replica site at any moment', async () => {
  const seed = Number(process.env['VOLUME_MOVER_SEED'] ?? randomInt(2 ** 31));
  console.log(`seed ${seed}: to repeat it, VOLUME_MOVER_SEED=${seed}`);
  const chance = new Chance(seed);
  const model = new VolumeModel();
  for (let n = 1; n <= LIVES * WRITES_PER_LIFE; n += 1)
    model.records.push({ offset: chance.below(256) * 4096, data: block(n) });

  const control = await new FakeSplitterControl('s1').start();
  world.onStop(async () => control.stop());
  let site = await world.siteProcess();
  let appliance = await world.applianceProcess('a1');
  const points: { readonly id: PointId; readonly n: number }[] = [];
  let confirmedN = 0;

  for (let life = 1; life <= LIVES; life += 1) {
    const splitter = await TestSplitter.connect(appliance.url, S1, control.url);
    const answer = await splitter.attach(1, V1);
    if (answer.type !== 'attached') throw new Error(answer.message);
    expect(answer.n).toBeGreaterThanOrEqual(confirmedN);
    const sent = { n: answer.n };
    const send = (count: number): void => {
      for (const end = Math.min(sent.n + count, life * WRITES_PER_LIFE); sent.n < end;) {
        sent.n += 1;
        const record = model.records[sent.n - 1];
        if (record !== undefined) splitter.write(1, sent.n, record.offset, record.data);
      }
      control.members.set(V1, { group: G1, n: sent.n });
    };
    const killAtN = answer.n + chance.below(life * WRITES_PER_LIFE - answer.n);
    const closePoint = async (): Promise<void> => {
      const point = await appliance.control.closePoint({ group: G1 }).catch(() => undefined);
      const member = point?.members[0];
      if (point !== undefined && member !== undefined) points.push({ id: point.id, n: member.position });
    };
    const closings: Promise<void>[] = [];
    while (sent.n < killAtN) {
      send(100);
      closings.push(closePoint());
      await splitter.confirmed(1, Math.max(0, sent.n - 300));
    }
    const killsSite = chance.hit(0.5);
    if (killsSite) await site.kill();
    else await appliance.kill();
    await until(() => splitter.closed, 'the stream is closed');
    confirmedN = splitter.receipt(1);
    if (killsSite) site = await world.siteProcess();
    else appliance = await world.applianceProcess('a1');
    await Promise.all(closings);
  }

  expect(points.length).toBeGreaterThan(0);
  const { volumes } = await site.control.volumes({ volume: V1 });
  expect(volumes[0]?.durable.n).toBeGreaterThanOrEqual(confirmedN);
  for (const { id, n } of points) {
    const { image, position } = await site.control.openImage({ volume: V1, point: id, client: 'test' });
    expect(position).toBe(n);
    const response = await fetch(`${site.url}${IMAGE_READ_PATH}?image=${image}&offset=0&length=${SIZE_BYTES}`);
    expect(Buffer.from(await response.arrayBuffer()).equals(model.at(n))).toBe(true);
    await site.control.closeImage({ image });
  }
});
