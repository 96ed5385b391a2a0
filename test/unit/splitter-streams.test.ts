// Which volumes a splitter's streams attach: none before it has a session.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { estateSchema } from '../../contracts/estate.js';
import { openRowStore } from '../../simulator/store/row-store.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { NO_SESSION } from '../../simulator/splitter/core/volume-split.js';
import { CONFIRMED_TABLE, Confirmations } from '../../simulator/splitter/marks/confirmations.js';
import { Reunion } from '../../simulator/splitter/streams/reunion.js';
import { META_TABLE, Sessions } from '../../simulator/splitter/streams/sessions.js';
import { Streams } from '../../simulator/splitter/streams/streams.js';
import { PowerDisk } from '../simulation/power-disk.js';
import { SPLITTER, SPLITTER_FOLDERS, startVolume } from '../simulation/power-splitter.js';
import { Chance } from '../simulation/virtual-time.js';
import { Recorder, streamServer } from './stream-fixture.js';

const SIZE_BYTES = 64 * 1024;
const SESSION = 3;
const listen = { port: 0 };
const ESTATE = estateSchema.parse({
  replicaSite: { control: listen },
  appliances: [{ id: 'a1', control: listen, nbd: listen }],
  splitters: [{ id: 's1', control: listen, nbd: listen, volumes: [] }],
  groups: [{ id: 'g1', appliance: 'a1' }],
  worker: { health: listen },
});

/** An appliance that records its stream, and a volume without a session that is routed to it. */
async function volumeWithoutSession() {
  const recorders: Recorder[] = [];
  const url = await streamServer({ onStream: (connection) => void recorders.push(new Recorder(connection)) });
  const disk = new PowerDisk(new Chance(1), SPLITTER_FOLDERS);
  const { volume } = startVolume(
    disk.start(() => undefined),
    { session: NO_SESSION, sizeBytes: SIZE_BYTES },
  );
  const { split } = volume;
  split.reroute({ ...split.row.route, url, epoch: split.row.route.epoch + 1 });
  const log = pino({ level: 'silent' });
  const directory = mkdtempSync(join(tmpdir(), 'splitter-streams-'));
  const store = openRowStore({ directory, tables: ['volumes', META_TABLE, CONFIRMED_TABLE] });
  const sessions = new Sessions({ store, rows: [], log });
  const core = new SplitterCore({ splitter: SPLITTER, life: sessions.life, volumes: [split], store: () => undefined });
  const reunion = new Reunion({
    core,
    sessions,
    confirmations: new Confirmations(store),
    estate: ESTATE,
    onSourceKnown: () => undefined,
    onDoubt: () => undefined,
    log,
  });
  const streams = new Streams({
    splitter: SPLITTER,
    life: sessions.life,
    reunion,
    controlUrl: 'http://s1.test',
    credentials: undefined,
    log,
    onProgress: () => undefined,
    onUnsendable: () => undefined,
  });
  onTestFinished(async () => {
    streams.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { volume, streams, recorders };
}

test('a changed claim attaches no volume that has no session yet: no record may be numbered in none', async () => {
  const { volume, streams, recorders } = await volumeWithoutSession();
  streams.follow(volume);
  await expect.poll(() => recorders[0]?.frames.length).toBe(1);
  streams.reattach(volume);
  volume.split.startSession(SESSION);
  streams.follow(volume);
  await recorders[0]?.until(({ frames }) => frames.some((frame) => 'session' in frame && frame.session === SESSION));
  expect(recorders[0]?.frames.filter(({ type }) => type === 'attach')).toMatchObject([{ session: SESSION }]);
});
