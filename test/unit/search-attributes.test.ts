// What a worker makes of a server that does not say which search attributes it has.
import { NativeConnection } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { ensureSearchAttributes } from '../../workers/search-attributes.js';
import { TemporalStandIn } from '../support/temporal-stand-in.js';

const NOT_LACKING = 'did not say which search attributes namespace "moves" has';

interface Refused {
  readonly code: number;
  /** The only call that is refused. Default: every one. */
  readonly codeFor?: string;
  readonly address?: string;
}

/** What the worker says of a server that answers so. */
async function saidOf({ code, codeFor = '', address = 'temporal.example.com:7233' }: Refused): Promise<string> {
  const server = new TemporalStandIn({ code, codeFor });
  const connection = await NativeConnection.connect({ address: `127.0.0.1:${await server.start()}` });
  try {
    await ensureSearchAttributes({
      connection,
      target: { connection: { address }, namespace: 'moves' },
      log: { info: () => {}, warn: () => {} },
      signal: new AbortController().signal,
    });
    return 'nothing';
  } catch (error) {
    return String(error);
  } finally {
    await connection.close();
    server.stop();
  }
}

test.each([
  ['an unknown namespace', 5, 'temporal.example.com:7233', NOT_LACKING],
  ['a refused caller', 7, 'temporal.example.com:7233', NOT_LACKING],
  ['a refused search', 3, 'temporal.example.com:7233', 'temporal operator search-attribute create --address temporal'],
  [
    'a refused search in Temporal Cloud',
    3,
    'x.tmprl.cloud:7233',
    'tcld namespace search-attributes add --namespace moves',
  ],
])('%s', async (_what, code, address, says) => {
  expect(await saidOf({ code, address })).toContain(says);
});

// The SDK itself tries again for 15 s after a rate limit.
test('a rate limit is no missing permission and no missing attribute, and is told to pass', async () => {
  const [registering, asking] = await Promise.all([
    saidOf({ code: 8, codeFor: '/AddSearchAttributes' }),
    saidOf({ code: 8 }),
  ]);
  expect(registering).toContain('Temporal did not register them now');
  expect(registering).toContain('That is no missing permission, and passes by itself');
  expect(registering).not.toContain('administrator');
  expect(asking).toContain('That passes by itself: start the worker again.');
});

test('a refusal while they are asked for does not pass by itself', async () => {
  expect(await saidOf({ code: 7 })).toContain('Check TEMPORAL_NAMESPACE, the API key and the certificate.');
});
