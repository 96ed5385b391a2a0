// The NBD server against the clients that people use: libnbd's tools, qemu's and fio. A missing
// tool fails the test.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { BlockDevice } from '../../nbd/block-device.js';
import { createNbdServer } from '../../nbd/server.js';
import type { NbdServer } from '../../nbd/server.js';
import { runTool, succeed } from '../support/tools.js';
import { directoryOf, MemoryDevice } from '../unit/nbd-memory-device.js';

const MIB = 1024 * 1024;
const SIZE_BYTES = 64 * MIB;

const aTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const devices = {
  vol: new MemoryDevice({ sizeBytes: SIZE_BYTES, canMultiConn: true, description: 'a virtual volume' }),
  'vol-async': new MemoryDevice({ sizeBytes: SIZE_BYTES, canMultiConn: true, gate: aTurn }),
  sectors: new MemoryDevice({ sizeBytes: SIZE_BYTES, minimumBlockBytes: 512 }),
  image: new MemoryDevice({ sizeBytes: SIZE_BYTES, readOnly: true, canMultiConn: true }),
};

let folder: string;
let socket: string;
let port: number;
let server: NbdServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nbd-'));
  socket = join(folder, 'nbd.sock');
  server = createNbdServer({
    exports: directoryOf(devices satisfies Record<string, BlockDevice>),
    listen: [{ path: socket }, { host: '127.0.0.1', port: 0 }],
  });
  const addresses = await server.start();
  for (const address of addresses) if ('port' in address) port = address.port;
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

function overUnix(name: string): string {
  return `nbd+unix:///${name}?socket=${socket}`;
}

function overTcp(name: string): string {
  return `nbd://127.0.0.1:${port}/${name}`;
}

function digest(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

describe('nbdinfo', () => {
  test('shows size, flags, block sizes and description', async () => {
    const output = await succeed('nbdinfo', '--json', overUnix('vol'));
    expect(JSON.parse(output)).toMatchObject({
      protocol: 'newstyle-fixed',
      exports: [
        {
          'export-name': 'vol',
          description: 'a virtual volume',
          'export-size': SIZE_BYTES,
          is_read_only: false,
          can_flush: true,
          can_fua: true,
          can_trim: true,
          can_zero: true,
          can_multi_conn: true,
          can_fast_zero: false,
          block_size_minimum: 1,
          block_size_preferred: 4096,
          block_size_maximum: 32 * MIB,
        },
      ],
    });
    expect(await succeed('nbdinfo', '--is', 'read-only', overTcp('image'))).toBe('');
  });

  test('lists every export', async () => {
    const listed = z
      .object({ exports: z.array(z.object({ 'export-name': z.string() })) })
      .parse(JSON.parse(await succeed('nbdinfo', '--list', '--json', overTcp(''))));
    expect(listed.exports.map((each) => each['export-name'])).toEqual(Object.keys(devices));
  });

  test('is told that an export is unknown', async () => {
    const { exitCode, output } = await runTool('nbdinfo', overUnix('missing'));
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/no such export|No such file/i);
  });
});

describe('nbdcopy', () => {
  test.each(['vol', 'vol-async', 'sectors'] as const)('copies a file into %s and out again', async (name) => {
    const content = randomBytes(SIZE_BYTES);
    content.fill(0, 5 * MIB, 9 * MIB);
    const [source, target] = [join(folder, 'in.img'), join(folder, 'out.img')];
    await writeFile(source, content);
    await succeed('nbdcopy', '--flush', source, overUnix(name));
    expect(digest(devices[name].content)).toBe(digest(content));
    await succeed('nbdcopy', overTcp(name), target);
    expect(digest(await readFile(target))).toBe(digest(content));
  });

  test('copies from one export to another', async () => {
    devices.vol.content.set(randomBytes(MIB), 3 * MIB);
    await succeed('nbdcopy', overUnix('vol'), overTcp('vol-async'));
    expect(digest(devices['vol-async'].content)).toBe(digest(devices.vol.content));
  });

  test('is refused by a read-only export', async () => {
    const source = join(folder, 'small.img');
    await writeFile(source, randomBytes(MIB));
    const before = digest(devices.image.content);
    const { exitCode, output } = await runTool('nbdcopy', source, overUnix('image'));
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/read-only/i);
    expect(digest(devices.image.content)).toBe(before);
  });
});

describe('qemu', () => {
  test.each(['vol', 'vol-async', 'sectors'])('qemu-io writes, zeroes, discards and reads %s', async (name) => {
    const commands = [
      'write -P 0x5a 1M 256k',
      'write -f -P 0xa5 2M 4k',
      'write -z 1M 64k',
      'write -z -u 1152k 64k',
      'flush',
      'read -v -P 0x5a 1088k 64k',
      'read -P 0xa5 2M 4k',
      'read -P 0 1M 64k',
      'read -P 0 1152k 64k',
      'discard 2M 4k',
      'aio_write -P 0x11 3M 1M',
      'aio_write -P 0x22 4M 1M',
      'aio_flush',
      'read -P 0x11 3M 1M',
      'read -P 0x22 4M 1M',
    ].flatMap((command) => ['-c', command]);
    const output = await succeed('qemu-io', '-d', 'unmap', '-f', 'raw', ...commands, overUnix(name));
    expect(output).not.toMatch(/Pattern verification failed|error/i);
  });

  test('qemu-io sees what a write with FUA and a flush were asked to do', async () => {
    devices.vol.calls.length = 0;
    await succeed('qemu-io', '-f', 'raw', '-c', 'write -f 0 4k', '-c', 'flush', overTcp('vol'));
    expect(devices.vol.calls).toContain('write 0+4096 fua');
    expect(devices.vol.calls).toContain('flush');
  });

  test('qemu-io gets the errors of the device, and goes on', async () => {
    const failing = devices.sectors;
    failing.failure = new Error('a bug');
    const failed = await runTool('qemu-io', '-f', 'raw', '-c', 'write 0 4k', overUnix('sectors'));
    failing.failure = undefined;
    expect(failed.output).toMatch(/Input\/output error/);
    await succeed('qemu-io', '-f', 'raw', '-c', 'write 0 4k', overUnix('sectors'));
    const refused = await runTool('qemu-io', '-f', 'raw', '-c', 'write 0 4k', overUnix('image'));
    expect(refused.output).toMatch(/read-only|not permitted|Permission denied/i);
    await succeed('qemu-io', '-r', '-f', 'raw', '-c', 'read 0 4k', overUnix('image'));
  });

  test('qemu-img shows an export and copies it', async () => {
    const info: unknown = JSON.parse(await succeed('qemu-img', 'info', '--output=json', overUnix('vol')));
    expect(info).toMatchObject({ 'virtual-size': SIZE_BYTES, format: 'raw' });
    devices.vol.content.set(randomBytes(8 * MIB), 8 * MIB);
    const copy = join(folder, 'copy.qcow2');
    await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', overTcp('vol'), copy);
    const compared = await succeed('qemu-img', 'compare', '-F', 'qcow2', '-f', 'raw', overUnix('vol'), copy);
    expect(compared).toMatch(/identical/);
  });
});

describe('fio', () => {
  test.each(['vol', 'vol-async'])('verifies by checksum what it wrote at random to %s', async (name) => {
    const output = await succeed(
      'fio',
      '--name=verify',
      '--ioengine=nbd',
      `--uri=${overUnix(name)}`,
      '--rw=randwrite',
      '--bsrange=512-64k',
      '--bs_unaligned=1',
      '--iodepth=32',
      `--size=${SIZE_BYTES}`,
      '--io_size=32m',
      '--fsync=64',
      '--verify=crc32c',
      '--verify_fatal=1',
      '--verify_state_save=0',
      '--output-format=json',
    );
    const report = z
      .object({
        jobs: z.tuple([
          z.object({
            error: z.literal(0),
            read: z.object({ total_ios: z.number().positive() }),
            write: z.object({ total_ios: z.number().positive() }),
          }),
        ]),
      })
      .parse(JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)));
    expect(report.jobs[0].read.total_ios).toBe(report.jobs[0].write.total_ios);
  });
});
