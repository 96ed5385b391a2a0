// Certificates for tests of TLS, made by openssl as an administrator would.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from './tools.js';

const DAYS = '2';

/** An authority of its own, and certificates that it signed. */
export class TestAuthority {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param folder made if missing */
  static async make(folder: string, name: string): Promise<TestAuthority> {
    mkdirSync(folder, { recursive: true });
    const [key, cert] = [join(folder, 'ca-key.pem'), join(folder, 'ca-cert.pem')];
    await succeed(
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      DAYS,
      '-subj',
      `/CN=${name}`,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign',
    );
    return new TestAuthority(folder);
  }

  /**
   * Puts a signed certificate and the authority's own into a folder, under the usual names.
   * @param ip of a host that the certificate names beside localhost
   */
  async issue(folder: string, end: 'server' | 'client', ip = '127.0.0.1'): Promise<string> {
    mkdirSync(folder, { recursive: true });
    const fileOf = (part: string): string => join(folder, `${end}-${part}.pem`);
    const [key, request, cert] = [fileOf('key'), fileOf('request'), fileOf('cert')];
    await succeed(
      'openssl',
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      request,
      '-subj',
      `/CN=${end === 'server' ? 'localhost' : 'a client'}`,
    );
    const extensions = join(folder, `${end}.ext`);
    writeFileSync(extensions, `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:${ip}\nextendedKeyUsage=${end}Auth\n`);
    const ca = join(this.#folder, 'ca-cert.pem');
    await succeed(
      'openssl',
      'x509',
      '-req',
      '-in',
      request,
      '-out',
      cert,
      '-days',
      DAYS,
      '-extfile',
      extensions,
      '-CA',
      ca,
      '-CAkey',
      join(this.#folder, 'ca-key.pem'),
      '-CAcreateserial',
    );
    await succeed('cp', ca, join(folder, 'ca-cert.pem'));
    return folder;
  }
}
