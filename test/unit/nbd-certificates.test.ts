// Which NBD clients need certificates, and where those are read from.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isLocal } from '../../nbd/address.js';
import { CertificateFolder, certificatesFor } from '../../nbd/certificates.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  for (const name of ['ca-cert', 'client-cert', 'client-key', 'server-cert', 'server-key'])
    writeFileSync(join(folder, `${name}.pem`), name);
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  [undefined, true],
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['0.0.0.0', false],
  ['fe80::1', false],
  ['172.17.0.1', false],
])('a peer at %s is on the same host: %s', (remoteAddress, local) => {
  expect(isLocal({ remoteAddress })).toBe(local);
});

test('a client has certificates for other hosts only, from the folder that the environment names', () => {
  const environment = { VOLUME_MOVER_NBD_TLS: folder };
  expect(certificatesFor({ path: '/run/nbd.sock' }, environment)).toBeUndefined();
  expect(certificatesFor({ host: 'localhost', port: 1 }, environment)).toBeUndefined();
  expect(certificatesFor({ host: '127.0.0.1', port: 1 }, environment)).toBeUndefined();
  expect(certificatesFor({ host: 'host-2', port: 1 }, {})).toBeUndefined();
  expect(certificatesFor({ host: 'host-2', port: 1 }, { VOLUME_MOVER_NBD_TLS: '' })).toBeUndefined();
  expect(certificatesFor({ host: 'host-2', port: 1 }, environment)?.cert.toString()).toBe('client-cert');
});

test('a replaced file is read again, and while one is missing the former ones stay in use', () => {
  const problems: Error[] = [];
  const certificates = new CertificateFolder(folder, 'server', (error) => problems.push(error));
  const path = join(folder, 'server-cert.pem');
  writeFileSync(`${path}.new`, 'renewed');
  renameSync(`${path}.new`, path);
  expect(certificates.now.cert.toString()).toBe('renewed');
  rmSync(path);
  expect(certificates.now.cert.toString()).toBe('renewed');
  expect(problems).toHaveLength(1);
  writeFileSync(path, 'again');
  expect(certificates.now.cert.toString()).toBe('again');
});

test('a folder without one of the files is refused at once', () => {
  rmSync(join(folder, 'server-key.pem'));
  expect(() => new CertificateFolder(folder, 'server')).toThrow(/server-key\.pem/);
});
