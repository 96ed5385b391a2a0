// The end of a move at its new group, when its volumes have been moved on meanwhile.
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { attemptRecordSchema, attemptRefSchema } from '../../contracts/attempt.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi, siteVolumeSchema } from '../../contracts/replica-site-api.js';
import { refuseMovedAgain } from '../../simulator/appliance/core/moved-again.js';
import { Join } from '../../simulator/appliance/join.js';
import { Link } from '../../simulator/appliance/link.js';
import { SiteClient } from '../../simulator/appliance/site-client.js';
import { createControlServer } from '../../simulator/control-server/server.js';
import { codeOf } from './site-core-fixture.js';

const [V1, V2] = ['v1', 'v2'].map((id) => volumeIdSchema.parse(id)) as [Volume, Volume];
type Volume = ReturnType<typeof volumeIdSchema.parse>;
const G2 = groupIdSchema.parse('g2');
const ATTEMPT = attemptRefSchema.parse({ move: 'm1', n: 1 });
const RECORD = attemptRecordSchema.parse({
  attempt: ATTEMPT,
  state: 'COMMITTED',
  contents: {
    ticket: 1,
    volumes: [
      { volume: V1, splitter: 's1', epoch: 1 },
      { volume: V2, splitter: 's1', epoch: 4 },
    ],
    from: 'g1',
    to: G2,
    openedAtMs: 0,
  },
  seals: [],
});

const EPOCHS = new Map([
  [V1, 2],
  [V2, 5],
]);
const SITE_VOLUME = siteVolumeSchema.parse({
  volume: V1,
  splitter: 's1',
  sizeBytes: 4_096,
  group: G2,
  appliance: 'a1',
  epoch: 2,
  durable: { position: 0, session: 0, n: 0, timeMs: 0 },
  appliedPosition: 0,
  undistributedBytes: 0,
  initializing: false,
});

const whole = [
  { volume: V1, group: G2, epoch: 2 },
  { volume: V2, group: G2, epoch: 5 },
];

test('a move can join while its volumes are where it brought them', () => {
  expect(codeOf(() => refuseMovedAgain(RECORD, whole))).toBe('not refused');
});

test.each([
  ['is in another group', whole.slice(0, 1)],
  ['has left and come back', [...whole.slice(0, 1), { volume: V2, group: G2, epoch: 7 }]],
])('a move whose volume %s never joins', (_where, members) => {
  expect(codeOf(() => refuseMovedAgain(RECORD, members))).toBe('STALE_ATTEMPT');
});

test('a join that waits for a volume which was moved on is refused, and does not wait for ever', async () => {
  const join = new Join(await siteWith([V1]), { close: async () => undefined }, { require: async () => G2 });
  await expect(join.join(ATTEMPT, new AbortController().signal)).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
});

test('a join waits while a point lacks a volume that is only late', async () => {
  const join = new Join(await siteWith([V1, V2]), { close: async () => undefined }, { require: async () => G2 });
  expect(await join.join(ATTEMPT, new AbortController().signal)).toEqual(RECORD);
});

/** A replica site that has the record, and these volumes in the move's group. */
async function siteWith(volumes: readonly Volume[]): Promise<SiteClient> {
  const { get, volumes: list } = replicaSiteApi;
  const server = createControlServer({
    api: { get, volumes: list },
    handlers: {
      get: () => RECORD,
      volumes: () => ({
        volumes: volumes.map((volume) => ({ ...SITE_VOLUME, volume, epoch: EPOCHS.get(volume) ?? 0 })),
      }),
    },
    role: 'replica-site',
    id: 'site',
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ notes: [] }),
    log: pino({ level: 'silent' }),
    title: 'Site',
    description: 'A site.',
  });
  onTestFinished(async () => server.stop());
  const { port } = await server.start();
  return new SiteClient({ url: `http://127.0.0.1:${port}`, credentials: undefined, link: new Link() });
}
