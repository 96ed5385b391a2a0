// Links to the web UI of a Temporal server that somebody else runs.
import { expect, test } from 'vitest';
import { connectTemporal } from '../../client/temporal/connection.js';
import { uiUrlOf } from '../../client/temporal/ui-url.js';
import { smallEstate } from '../integration/estate-fixture.js';

const named = (url: string): NodeJS.ProcessEnv => ({ VOLUME_MOVER_TEMPORAL_UI_URL: url });

test.each([
  ['a person names it', named('https://temporal.example.com/ui/'), 'server:7233', 'https://temporal.example.com/ui'],
  ['the server is in Temporal Cloud', {}, 'ops.a1b2c.tmprl.cloud:7233', 'https://cloud.temporal.io'],
  [
    'the server is in a region of Temporal Cloud',
    {},
    'eu-west-1.aws.api.temporal.io:7233',
    'https://cloud.temporal.io',
  ],
  ['the server is another', {}, 'temporal.example.com:7233', undefined],
])('the link is known when %s', (_case, environment, address, url) => {
  expect(uiUrlOf(environment, address)).toBe(url);
});

test('the address of the UI is what a person says, before what the estate says', () => {
  expect(uiUrlOf(named('http://ui:1'), 'h:1', 'http://estate:2')).toBe('http://ui:1');
  expect(uiUrlOf(named(''), 'h:1', 'http://estate:2')).toBe('http://estate:2');
});

test('what is no web address is refused with an example', () => {
  expect(() => uiUrlOf(named('temporal.example.com'), 'h:1')).toThrow(
    'VOLUME_MOVER_TEMPORAL_UI_URL: "temporal.example.com"',
  );
  expect(() => uiUrlOf(named('javascript:alert(1)'), 'h:1')).toThrow('no web address');
});

test('a profile that does not exist is refused in words', async () => {
  const environment = { TEMPORAL_PROFILE: 'none-such', TEMPORAL_CONFIG_FILE: '/dev/null' };
  const refused = connectTemporal(smallEstate(), environment);
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(refused).rejects.toThrow('none-such');
});
