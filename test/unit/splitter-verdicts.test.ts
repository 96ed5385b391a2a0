// A splitter asks for verdicts while its store takes nothing: it forgets none, and the process goes
// on.
import { SOURCE } from '../support/identities.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MoverError, toProblem } from '../../contracts/errors.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  volumeIdSchema,
} from '../../contracts/ids.js';
import type { AskedVerdict, PendingVerdict } from '../../simulator/splitter/core/splitter-core.js';
import type { VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';
import { Verdicts } from '../../simulator/splitter/attempts/verdicts.js';

const V1 = volumeIdSchema.parse('v1');
const ATTEMPT = { move: moveIdSchema.parse('move'), n: 1, ticket: 1 };
const WAIT = { timeout: 8_000 };
const ABORTED = {
  status: 200,
  body: { attempt: { move: ATTEMPT.move, n: 1 }, state: 'ABORTED', seals: [] as unknown[] },
};
const FORGOTTEN = { status: 409, body: toProblem(new MoverError('STALE_ATTEMPT', 'The attempt is forgotten.')) };
let answer: typeof ABORTED | typeof FORGOTTEN = ABORTED;
let asked = 0;
const appliance = createServer((_request, response) => {
  asked += 1;
  const { status, body } = answer;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
let url = '';
let verdicts: Verdicts | undefined;

beforeEach(async () => {
  asked = 0;
  answer = ABORTED;
  await new Promise<void>((resolve) => appliance.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(appliance.address() as AddressInfo).port}`;
});
afterEach(async () => {
  verdicts?.stop();
  appliance.closeAllConnections();
  await new Promise((resolve) => appliance.close(resolve));
});

test('a lease and a verdict that can’t be stored are tried again until they are, and the verdict is asked for once', async () => {
  const route = { group: groupIdSchema.parse('g1'), appliance: applianceIdSchema.parse('a1'), url };
  const row: VolumeSplitRow = {
    volume: V1,
    sizeBytes: 1,
    route: { ...route, epoch: 1 },
    source: SOURCE,
    proven: true,
    fence: {
      attempt: ATTEMPT,
      cut: { session: 1, n: 1 },
      atMs: 0,
      lease: { session: 1, untilMs: 0, ms: 0 },
      lapsed: false,
    },
  };
  const pending: PendingVerdict = { attempt: ATTEMPT, volumes: [V1], resolvers: [url], to: route };
  const failures = { tick: 2, learn: 2 };
  const fail = (of: keyof typeof failures): void => {
    failures[of] -= 1;
    if (failures[of] >= 0) throw new MoverError('STORAGE_FULL', 'no room');
  };
  const learned: AskedVerdict[] = [];
  verdicts = new Verdicts({
    splitter: splitterIdSchema.parse('s1'),
    credentials: undefined,
    log: pino({ level: 'silent' }),
    tick: () => {
      fail('tick');
      return [pending];
    },
    learn: (_pending, verdict) => {
      fail('learn');
      learned.push(verdict);
    },
  });
  verdicts.follow(row, 0);
  await vi.waitFor(() => expect(learned).toEqual(['ABORTED']), WAIT);
  expect(failures).toEqual({ tick: -1, learn: -1 });
  expect(asked).toBe(1);
});

test('an attempt that the replica site has forgotten has an answer, too', async () => {
  answer = FORGOTTEN;
  verdicts = new Verdicts({
    splitter: splitterIdSchema.parse('s1'),
    credentials: undefined,
    log: pino({ level: 'silent' }),
    tick: () => [],
    learn: () => undefined,
  });
  const to = { group: groupIdSchema.parse('g1'), appliance: applianceIdSchema.parse('a1'), url };
  expect(await verdicts.askOnce({ attempt: ATTEMPT, volumes: [V1], resolvers: [url], to }, true)).toBe('FORGOTTEN');
});
