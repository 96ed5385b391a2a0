// Who a server takes a caller for, by its token and its certificate, and files that are replaced
// while it runs.
import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCredentials } from '../../control/credentials.js';
import { WatchedFile } from '../../control/watched-file.js';
import { Callers, type ShownCertificate } from '../../simulator/control-server/callers.js';
import { streamUpgrade } from '../../simulator/stream/accept.js';
import { connectStream } from '../../simulator/stream/connect.js';
import { sampleServer } from './control-fixture.js';
import { Recorder, writeFrame } from './stream-fixture.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callers-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

function fileOf(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Callers from a file, which is looked at again at each call. */
function callersOf(entries: readonly object[]): Callers {
  return new Callers({}, fileOf('callers.json', { callers: entries }), 0);
}

const certificate = (...names: readonly string[]): ShownCertificate => ({ names, fault: undefined });
/** The caller's name, or why it is not known. */
const nameOf = (found: ReturnType<Callers['identify']>): string => ('refusal' in found ? found.refusal : found.name);
const bearer = (token: string): string => `Bearer ${token}`;

describe('a server that was given callers', () => {
  const ENTRIES = [
    { name: 'worker-1', roles: ['move'], tokenSha256: sha256('old') },
    { name: 'worker-1', roles: ['move'], tokenSha256: sha256('new') },
    { name: 'host-1', roles: ['replicate'], certificate: 'host-1.example' },
    { name: 'boss', roles: ['admin'], tokenSha256: sha256('boss'), certificate: 'boss' },
  ];
  const identify = (authorization: string | undefined, shown?: ShownCertificate): string =>
    nameOf(callersOf(ENTRIES).identify({ authorization, certificate: shown }, false));

  test('knows one by either of two tokens, and by a name of its certificate', () => {
    expect(identify(bearer('old'))).toBe('worker-1');
    expect(identify(bearer('new'))).toBe('worker-1');
    expect(identify(undefined, certificate('x', 'host-1.example'))).toBe('host-1');
  });

  test('knows one with both by both alone', () => {
    expect(identify(bearer('boss'), certificate('boss'))).toBe('boss');
    expect(identify(bearer('boss'))).toBe('its bearer token is not known');
    expect(identify(bearer('boss'), certificate('other'))).toBe('its bearer token is not known');
    expect(identify(undefined, certificate('boss'))).toBe(
      "its certificate, of boss, is no caller's, and it sent no bearer token",
    );
  });

  test('refuses a wrong token whatever certificate comes with it', () => {
    expect(identify(bearer('wrong'), certificate('host-1.example'))).toBe('its bearer token is not known');
  });

  test('refuses a certificate that no authority of its own has signed', () => {
    const forged = { names: ['host-1.example'], fault: 'SELF_SIGNED_CERT_IN_CHAIN' };
    const refusal = 'its certificate, of host-1.example, is not accepted (SELF_SIGNED_CERT_IN_CHAIN)';
    expect(identify(undefined, forged)).toBe(refusal);
    expect(identify(bearer('new'), forged)).toBe(refusal);
  });

  test('refuses everybody without a certificate where one is needed', () => {
    const shown = { authorization: bearer('new'), certificate: undefined };
    expect(nameOf(callersOf(ENTRIES).identify(shown, true))).toBe('it showed no client certificate, and needs one');
  });
});

test('a server with one token gives it every role, and one without anything takes anybody', () => {
  const one = new Callers({ token: 'secret' });
  expect(one.identify({ authorization: bearer('secret'), certificate: undefined }, false)).toMatchObject({
    name: 'token',
    roles: ['admin'],
  });
  expect(nameOf(one.identify({ authorization: undefined, certificate: undefined }, false))).toBe(
    'it showed neither a bearer token nor a certificate',
  );
  const none = new Callers({});
  expect(nameOf(none.identify({ authorization: undefined, certificate: undefined }, false))).toBe('anyone');
  expect(nameOf(none.identify({ authorization: undefined, certificate: certificate('host-1') }, true))).toBe('host-1');
});

test('a changed list counts at the next call, and a broken one leaves the former in force', () => {
  const callers = callersOf([{ name: 'a', roles: ['read'], tokenSha256: sha256('a') }]);
  const identify = (token: string): string =>
    nameOf(callers.identify({ authorization: bearer(token), certificate: undefined }, false));
  expect(identify('a')).toBe('a');
  fileOf('callers.json', { callers: [{ name: 'bee', roles: ['read'], tokenSha256: sha256('b') }] });
  expect(identify('b')).toBe('bee');
  expect(identify('a')).toBe('its bearer token is not known');
  fileOf('callers.json', '{ "callers": [');
  expect(identify('b')).toBe('bee');
  expect(callers.fault).toMatch(
    /^VOLUME_MOVER_CALLERS_FILE: the file .* cannot be used: .* Its previous content stays in use\.$/,
  );
});

test('a stream ends when its caller is struck off, and others go on', async () => {
  const entryOf = (name: string) => ({ name, roles: ['replicate'], tokenSha256: sha256(name) });
  const callers = callersOf([entryOf('host-1'), entryOf('host-2')]);
  const server = sampleServer({
    access: { credentials: {}, callers },
    onUpgrade: streamUpgrade({ onStream: (connection) => void new Recorder(connection) }),
  });
  const { url } = await server.start();
  const first = new Recorder(await connectStream({ url, credentials: { token: 'host-1' } }));
  const second = new Recorder(await connectStream({ url, credentials: { token: 'host-2' } }));
  fileOf('callers.json', { callers: [entryOf('host-2')] });
  await first.closed;
  await expect(connectStream({ url, credentials: { token: 'host-1' } })).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
  });
  expect(second.connection.send(writeFrame(1))).toBe(true);
  second.connection.close();
  expect(await second.closed).toEqual({ by: 'here' });
});

test.each([
  ['{', /Expected property name/],
  [{ callers: [] }, /callers: Too small/],
  [{ callers: [{ name: 'a', roles: ['read'] }] }, /a caller shows a token, a certificate, or both/],
  [{ callers: [{ name: 'a', roles: ['king'], certificate: 'a' }] }, /callers\.0\.roles\.0/],
  [{ callers: [{ name: 'a', roles: ['read'], tokenSha256: 'secret' }] }, /sha256sum/],
  ['{ "callers": [], "callers": [] }', /the key "callers" stands twice on line 1/],
])('a start with the list of callers %j is refused', (content, why) => {
  const path = fileOf('callers.json', content);
  expect(() => new Callers({}, path)).toThrow(why);
  expect(() => new Callers({}, path)).toThrow(/^VOLUME_MOVER_CALLERS_FILE: the file /);
});

describe('credentials of the environment', () => {
  test('come from files, whose end of line is no part of a token', () => {
    expect(readCredentials({ VOLUME_MOVER_TOKEN_FILE: fileOf('token', 'secret\n') }).token).toBe('secret');
    expect(readCredentials({ VOLUME_MOVER_TOKEN: 'secret' }).token).toBe('secret');
    expect(readCredentials({ VOLUME_MOVER_TOKEN: '' }).token).toBeUndefined();
  });

  test.each([
    [{ VOLUME_MOVER_TOKEN: 'a', VOLUME_MOVER_TOKEN_FILE: 'b' }, 'VOLUME_MOVER_TOKEN_FILE'],
    [{ VOLUME_MOVER_TOKEN: 'a b' }, 'VOLUME_MOVER_TOKEN: must be one token'],
    [{ VOLUME_MOVER_TOKEN_FILE: '/nowhere' }, 'VOLUME_MOVER_TOKEN_FILE'],
    [{ VOLUME_MOVER_TLS_CERT_FILE: 'a' }, 'VOLUME_MOVER_TLS_KEY_FILE'],
    [{ VOLUME_MOVER_TLS_KEY_FILE: 'a' }, 'VOLUME_MOVER_TLS_CERT_FILE'],
    [{ VOLUME_MOVER_TLS_CA_FILE: '/nowhere' }, 'VOLUME_MOVER_TLS_CA_FILE'],
  ])('%j are refused naming the setting', (environment, subject) => {
    expect(() => readCredentials(environment)).toThrow(subject);
  });

  test('an empty token file is refused', () => {
    expect(() => readCredentials({ VOLUME_MOVER_TOKEN_FILE: fileOf('token', '\n') })).toThrow(
      'it must hold one token, printable ASCII without spaces',
    );
  });
});

test('a file that is replaced behind a symbolic link is noticed, as secrets are by orchestrators', () => {
  const link = join(folder, 'secret');
  symlinkSync(fileOf('first', 'one'), link);
  const file = new WatchedFile({ path: link, setting: 'S', parse: String, checkIntervalMs: 0 });
  expect(file.content).toBe('one');
  symlinkSync(fileOf('second', 'two'), `${link}.new`);
  renameSync(`${link}.new`, link);
  expect(file.content).toBe('two');
  rmSync(link);
  expect(file.content).toBe('two');
  expect(file.fault).toContain('ENOENT');
});
