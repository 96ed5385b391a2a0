// NBD over TLS with the clients that people use. A client without a certificate of the authority
// learns nothing and can do nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NbdAddress } from '../../nbd/address.js';
import { CertificateFolder } from '../../nbd/certificates.js';
import { connectNbd, listNbdExports } from '../../nbd/client.js';
import { createNbdServer } from '../../nbd/server.js';
import type { NbdServer } from '../../nbd/server.js';
import { SplitterWorld, V1 } from '../integration/splitter-fixture.js';
import { NbdAuthority } from '../support/nbd-certificates.js';
import { runTool, succeed } from '../support/tools.js';
import { directoryOf, MemoryDevice } from '../unit/nbd-memory-device.js';
import { RawClient, words as numbers } from '../unit/nbd-raw-client.js';

const MIB = 1024 * 1024;
const SIZE_BYTES = 8 * MIB;
const TLS_REQUIRED = 0x80000005;
const [INVALID, ACK] = [0x80000003, 1];
const STARTTLS = 5;

let folder: string;
let ours: NbdAuthority;
let serverFolder: string;
let clientFolder: string;
let strangerFolder: string;
let device: MemoryDevice;
let server: NbdServer;
let port: number;
let address: NbdAddress;
const unusable: Error[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nbd-tls-'));
  ours = new NbdAuthority(join(folder, 'authority'), 'ours');
  serverFolder = ours.issue(join(folder, 'server'), 'server');
  clientFolder = ours.issue(join(folder, 'client'), 'client');
  const theirs = new NbdAuthority(join(folder, 'other'), 'theirs');
  strangerFolder = theirs.issue(join(folder, 'stranger'), 'client');
  // The stranger trusts our server, so only the server can refuse.
  await succeed('cp', join(clientFolder, 'ca-cert.pem'), join(strangerFolder, 'ca-cert.pem'));
  device = new MemoryDevice({ sizeBytes: SIZE_BYTES, canMultiConn: true });
  server = createNbdServer({
    exports: directoryOf({ vol: device }),
    listen: [{ host: '127.0.0.1', port: 0 }],
    certificates: new CertificateFolder(serverFolder, 'server', (error) => unusable.push(error)),
    // As if every client were on another host.
    needsTls: () => true,
  });
  const [bound] = await server.start();
  if (bound === undefined || !('port' in bound)) throw new Error('the server has no port');
  port = bound.port;
  address = { host: 'localhost', port };
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  device.calls.length = 0;
});

function uri(certificates: string): string {
  return `nbds://localhost:${port}/vol?tls-certificates=${certificates}`;
}

async function qemuIo(
  certificates: string,
  ...commands: readonly string[]
): Promise<{ exitCode: number; output: string }> {
  return runTool(
    'qemu-io',
    '--object',
    `tls-creds-x509,id=tls0,dir=${certificates},endpoint=client`,
    '--image-opts',
    ...commands.flatMap((command) => ['-c', command]),
    `driver=nbd,host=localhost,port=${port},export=vol,tls-creds=tls0`,
  );
}

describe('a client with a certificate of the authority', () => {
  test('nbdinfo shows an export, over TLS', async () => {
    const info: unknown = JSON.parse(await succeed('nbdinfo', '--json', uri(clientFolder)));
    expect(info).toMatchObject({ TLS: true, exports: [{ 'export-name': 'vol', 'export-size': SIZE_BYTES }] });
  });

  test('nbdcopy copies in and out', async () => {
    const [source, copy] = [join(folder, 'in.img'), join(folder, 'out.img')];
    const content = randomBytes(SIZE_BYTES);
    writeFileSync(source, content);
    await succeed('nbdcopy', '--flush', source, uri(clientFolder));
    expect(device.content.equals(content)).toBe(true);
    await succeed('nbdcopy', uri(clientFolder), copy);
    expect((await readFile(copy)).equals(content)).toBe(true);
  });

  test('qemu-io writes and reads', async () => {
    const { exitCode, output } = await qemuIo(clientFolder, 'write -P 0x5a 1M 1M', 'flush', 'read -P 0x5a 1M 1M');
    expect(exitCode, output).toBe(0);
    expect(output).not.toMatch(/failed|error/i);
    expect(device.content.subarray(MIB, 2 * MIB).equals(Buffer.alloc(MIB, 0x5a))).toBe(true);
  });

  test('our own client writes, reads and lists', async () => {
    const certificates = new CertificateFolder(clientFolder, 'client').now;
    expect(await listNbdExports(address, { certificates })).toEqual(['vol']);
    const client = await connectNbd(address, 'vol', { certificates });
    const data = randomBytes(3 * MIB);
    await client.write(4096, data);
    expect((await client.read(4096, data.length)).equals(data)).toBe(true);
    await client.disconnect();
  });
});

describe('a client without one', () => {
  test.each([
    ['nbdinfo', (at: string) => [at]],
    ['nbdcopy', (at: string) => [at, 'null:']],
    ['qemu-img', (at: string) => ['info', at]],
  ] as const)('%s is refused without TLS, and told why', async (tool, words) => {
    const { exitCode, output } = await runTool(tool, ...words(`nbd://localhost:${port}/vol`));
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/TLS/);
    expect(device.calls).toEqual([]);
  });

  test('a certificate of another authority is refused, by each tool', async () => {
    for (const [tool, ...rest] of [
      ['nbdinfo', uri(strangerFolder)],
      ['nbdcopy', uri(strangerFolder), 'null:'],
    ] as const) {
      const { exitCode } = await runTool(tool, ...rest);
      expect(exitCode, tool).not.toBe(0);
    }
    expect((await qemuIo(strangerFolder, 'read 0 4k')).output).toMatch(/error|fail|TLS/i);
    const certificates = new CertificateFolder(strangerFolder, 'client').now;
    await expect(connectNbd(address, 'vol', { certificates })).rejects.toThrow(/closed|reset|certificate|TLS/i);
    expect(device.calls).toEqual([]);
  });

  test('nothing is told before TLS, whatever is asked, and an export by its name is not opened', async () => {
    const client = await RawClient.greeted(address);
    const [list, info, go, structured, setContext, madeUp] = [3, 6, 7, 8, 10, 4_000_000];
    for (const option of [list, info, go, structured, setContext, madeUp]) {
      client.option(option, Buffer.alloc(option === list ? 0 : 8));
      expect(await client.optionReply()).toMatchObject({ option, reply: TLS_REQUIRED });
    }
    client.option(STARTTLS, Buffer.from('x'));
    expect(await client.optionReply()).toMatchObject({ reply: INVALID });
    client.option(1, Buffer.from('vol'));
    expect(await client.untilClosed()).toBe('closed');
  });

  test('options smuggled in behind STARTTLS end the connection', async () => {
    const client = await RawClient.greeted(address);
    const option = (number: number): Buffer => Buffer.concat([Buffer.from('IHAVEOPT'), numbers(number, 0)]);
    client.send(option(STARTTLS), option(3));
    expect(await client.untilClosed()).toBe('closed');
  });

  test('what is not TLS, behind STARTTLS, ends the connection, and others are served', async () => {
    const client = await RawClient.greeted(address);
    client.option(STARTTLS);
    expect(await client.optionReply()).toMatchObject({ reply: ACK });
    client.send(randomBytes(1_000));
    expect(await client.untilClosed()).toBe('closed');
    await succeed('nbdinfo', uri(clientFolder));
  });
});

describe('renewed certificates', () => {
  test('are used from the next connection on; the open one goes on', async () => {
    const before = await connectNbd(address, 'vol', {
      certificates: new CertificateFolder(clientFolder, 'client').now,
    });
    const next = new NbdAuthority(join(folder, 'next'), 'next');
    next.issue(serverFolder, 'server');
    const nextClient = next.issue(join(folder, 'next-client'), 'client');
    await succeed('nbdinfo', uri(nextClient));
    expect((await runTool('nbdinfo', uri(clientFolder))).exitCode).not.toBe(0);
    await before.write(0, Buffer.alloc(4096, 9));
    await before.disconnect();
    ours.issue(serverFolder, 'server');
    await succeed('nbdinfo', uri(clientFolder));
  });

  test('that are missing leave the former ones in use, with a warning', async () => {
    const key = join(serverFolder, 'server-key.pem');
    await succeed('mv', key, `${key}.away`);
    await succeed('nbdinfo', uri(clientFolder));
    expect(unusable).not.toEqual([]);
    await succeed('mv', `${key}.away`, key);
  });
});

describe('a splitter', () => {
  /** An address of this host that isn't a loopback one: to the splitter, another host. */
  function outerAddress(): string {
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const outer = all.find(({ internal, family }) => !internal && family === 'IPv4');
    if (outer === undefined) throw new Error('this machine has no network');
    return outer.address;
  }

  test('serves other hosts over TLS only, and its own as before', async () => {
    const world = await new SplitterWorld().start();
    try {
      ours.issue(serverFolder, 'server', outerAddress());
      const { nbdPort, open } = await world.splitterProcess({
        nbdHost: '0.0.0.0',
        environment: { VOLUME_MOVER_NBD_TLS: serverFolder },
      });
      const host = outerAddress();
      const plain = await runTool('nbdinfo', `nbd://${host}:${nbdPort}/${V1}`);
      expect(plain.exitCode).not.toBe(0);
      expect(plain.output).toMatch(/TLS/);
      const info = await succeed(
        'nbdinfo',
        '--json',
        `nbds://${host}:${nbdPort}/${V1}?tls-certificates=${clientFolder}`,
      );
      expect(JSON.parse(info)).toMatchObject({ TLS: true, exports: [{ 'export-name': V1 }] });
      const certificates = new CertificateFolder(clientFolder, 'client').now;
      await expect(connectNbd({ host, port: nbdPort }, V1)).rejects.toThrow(/TLS with a client certificate/);
      const local = await connectNbd({ host: '127.0.0.1', port: nbdPort }, V1, { certificates });
      await local.write(0, Buffer.alloc(512, 1));
      await local.disconnect();
      const unix = await open(V1);
      expect((await unix.read(0, 512)).equals(Buffer.alloc(512, 1))).toBe(true);
    } finally {
      await world.stop();
    }
  });

  test('does not start with a folder that lacks a file, and says which', async () => {
    const world = await new SplitterWorld().start();
    try {
      const started = world.splitterProcess({ environment: { VOLUME_MOVER_NBD_TLS: folder } });
      await expect(started).rejects.toThrow(join(folder, 'ca-cert.pem'));
    } finally {
      await world.stop();
    }
  });
});
