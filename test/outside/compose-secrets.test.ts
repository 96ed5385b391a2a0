// scripts/make-secrets.sh makes what docker-compose.yml names, each fit for its process.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readAccess } from '../../simulator/control-server/access.js';
import { compose, composeEstate, ours, PROJECT } from '../support/compose-file.js';

/** The host name by which others reach a process, by its id. */
const hostOf = ((): ReadonlyMap<string, string> => {
  const { replicaSite, appliances, splitters } = composeEstate();
  const named = [{ id: 'replica-site', ...replicaSite }, ...appliances, ...splitters];
  return new Map(named.map(({ id, control }) => [id, new URL(control.url ?? '').hostname]));
})();

test('every secret is made, and each process can be started with its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const make = (): Buffer => execFileSync(join(PROJECT, 'scripts', 'make-secrets.sh'), [folder]);
  make();
  const pathOf = (secret: string): string =>
    join(folder, compose.secrets[secret]?.file.replace('./secrets/', '') ?? secret);
  for (const secret of Object.keys(compose.secrets)) expect(existsSync(pathOf(secret)), secret).toBe(true);
  for (const [name, { environment, secrets }] of ours) {
    const byTarget = new Map(
      secrets.map((secret) => (typeof secret === 'string' ? [secret, secret] : [secret.target, secret.source])),
    );
    const read = Object.fromEntries(
      Object.entries(environment).map(([variable, value]) => {
        const source = byTarget.get(String(value).replace('/run/secrets/', ''));
        return [variable, source === undefined ? String(value) : pathOf(source)];
      }),
    );
    const { callers, credentials } = readAccess(read);
    expect(callers.areKnown, name).toBe(true);
    const certificate = new X509Certificate(credentials.tls?.cert ?? '');
    const host = hostOf.get(String(environment['VOLUME_MOVER_ID']));
    if (host !== undefined) expect(certificate.checkHost(host), name).toBe(host);
    expect(certificate.checkIP('127.0.0.1'), name).toBe('127.0.0.1');
  }
  const nbd = new X509Certificate(readFileSync(join(folder, 'nbd', 'server-cert.pem')));
  const ofNbd = new X509Certificate(readFileSync(join(folder, 'nbd', 'ca-cert.pem')));
  for (const { control } of [...composeEstate().appliances, ...composeEstate().splitters]) {
    const { hostname } = new URL(control.url ?? '');
    expect(nbd.checkHost(hostname)).toBe(hostname);
  }
  for (const end of ['server', 'client']) {
    const signed = new X509Certificate(readFileSync(join(folder, 'nbd', `${end}-cert.pem`)));
    expect(signed.verify(ofNbd.publicKey), end).toBe(true);
    expect(existsSync(join(folder, 'nbd', `${end}-key.pem`)), end).toBe(true);
  }
  // A second run leaves them as they are: processes know each other by them.
  const before = readFileSync(join(folder, 'ca.pem'));
  make();
  expect(readFileSync(join(folder, 'ca.pem'))).toEqual(before);
});
