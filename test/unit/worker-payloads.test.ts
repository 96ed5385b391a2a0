// Payloads that no workflow could read become texts; all others pass as they are.
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { expect, test } from 'vitest';
import { readablePayloads } from '../../workers/readable-payloads.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const payload = (encoding: string, data: string): Payload => ({
  metadata: { encoding: bytes(encoding) },
  data: bytes(data),
});

test('what can be read passes as it is', async () => {
  const given = [payload('json/plain', '{"volume":"v"}'), payload('binary/null', ''), payload('binary/plain', 'x')];
  expect(await readablePayloads.decode(given)).toEqual(given);
});

test.each([
  payload('json/plain', '{"volume": '),
  payload('json/unheard-of', '{}'),
  { data: bytes('no encoding') },
  { metadata: { encoding: bytes('json/plain') } },
])('what can not be read becomes its text', async (given) => {
  const [read] = await readablePayloads.decode([given]);
  expect(defaultPayloadConverter.fromPayload(read ?? {})).toBe(new TextDecoder().decode(given.data ?? undefined));
});
