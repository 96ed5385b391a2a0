// What a worker makes of a server that does not say which search attributes it has.
import { NativeConnection } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { ensureSearchAttributes } from '../../workers/search-attributes.js';
import { TemporalStandIn } from '../support/temporal-stand-in.js';

const NOT_LACKING = 'did not say which search attributes namespace "moves" has';

// A rate limit (8) takes the same way, after 15 s of the SDK's own retries.
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
  const server = new TemporalStandIn({ code });
  const connection = await NativeConnection.connect({ address: `127.0.0.1:${await server.start()}` });
  try {
    const ensured = ensureSearchAttributes({
      connection,
      target: { connection: { address }, namespace: 'moves' },
      log: { info: () => {}, warn: () => {} },
      signal: new AbortController().signal,
    });
    await expect(ensured).rejects.toThrow(says);
  } finally {
    await connection.close();
    server.stop();
  }
});
