// Fetching a Go module without Go: the proxy's answers, the zip file and the hash that go.sum knows
// it by.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { deflateRawSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';

import { hashModuleZip } from '../../estate/temporal/module-hash.js';
import { fetchModuleZip } from '../../estate/temporal/module-proxy.js';
import { readZip } from '../../estate/temporal/zip.js';

import type { Server } from 'node:http';

/**
 * A zip file with one stored and otherwise deflated entries, as APPNOTE.TXT lays it out; no
 * checksums.
 */
function zip(files: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [index, [name, text]] of Object.entries(files).entries()) {
    const method = index === 0 ? 0 : 8;
    const packed = method === 0 ? Buffer.from(text) : deflateRawSync(text);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(Buffer.byteLength(text), 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    centrals.push(central, Buffer.from(name));
    locals.push(local, Buffer.from(name), packed);
    offset += local.length + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...centrals, end, Buffer.from('a comment')]);
}

const MODULE = { 'm@v1/b.txt': 'stored', 'm@v1/a.txt': 'deflated '.repeat(100), 'm@v1/folder/': '' };

describe('readZip', () => {
  test('gives back each file, stored or deflated, and no folders', () => {
    const entries = readZip(zip(MODULE)).map(({ name, read }) => [name, read().toString()]);
    expect(Object.fromEntries(entries)).toEqual({ 'm@v1/b.txt': 'stored', 'm@v1/a.txt': 'deflated '.repeat(100) });
  });

  test('refuses what is not a zip file', () => {
    expect(() => readZip(Buffer.from('<html>a captive portal</html>'))).toThrow('Not a zip file');
  });

  test('refuses an entry that does not inflate to the size it says', () => {
    const archive = zip({ 'm@v1/a.txt': 'x', 'm@v1/b.txt': 'some text' });
    const central = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
    archive.writeUInt32LE(1_000, central + 24);
    const [, damaged] = readZip(archive);
    expect(() => damaged?.read()).toThrow('Damaged zip file');
  });
});

describe('hashModuleZip', () => {
  test("is the hash of every file's hash and name, sorted by name", () => {
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    const summary = `${sha256('deflated '.repeat(100))}  m@v1/a.txt\n${sha256('stored')}  m@v1/b.txt\n`;
    const expected = createHash('sha256').update(summary).digest('base64');
    expect(hashModuleZip(readZip(zip(MODULE)))).toBe(`h1:${expected}`);
  });
});

describe('fetchModuleZip', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function proxy(status: number, body: Buffer): Promise<string> {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/example.com/m/@v/v1.zip' ? status : 400;
      response.end(body);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('No port.');
    return `http://127.0.0.1:${address.port}`;
  }

  test('asks the proxies of GOPROXY in order until one has the module', async () => {
    const content = zip(MODULE);
    const env = { GOPROXY: `${await proxy(404, Buffer.alloc(0))},${await proxy(200, content)}/|direct` };
    expect(await fetchModuleZip({ module: 'example.com/m', version: 'v1', env })).toEqual(content);
  });

  test('says which proxies it asked, what each answered, and what to do', async () => {
    const gone = await proxy(410, Buffer.alloc(0));
    const fetching = fetchModuleZip({ module: 'example.com/m', version: 'v1', env: { GOPROXY: `${gone},off` } });
    await expect(fetching).rejects.toThrow(`${gone}/example.com/m/@v/v1.zip: HTTP 410`);
    await expect(fetching).rejects.toThrow('TEMPORAL_CLI_PATH');
  });
});
