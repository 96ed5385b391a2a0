// A device that goes away by itself takes its connections with it, and only those.
import { expect, test } from 'vitest';
import type { BlockDevice } from '../../nbd/block-device.js';
import { NbdDisconnected } from '../../nbd/errors.js';
import { open, serve } from './nbd-fixture.js';
import { MemoryDevice } from './nbd-memory-device.js';

const SIZE_BYTES = 64 * 1024;

test('requests under way are answered, then the connection ends and the device is closed', async () => {
  const gone = new AbortController();
  let letPass = (): void => {};
  const gate = async (): Promise<void> => new Promise((resolve) => (letPass = resolve));
  const memory = new MemoryDevice({ sizeBytes: SIZE_BYTES, gate });
  const device: BlockDevice = Object.assign(memory, { gone: gone.signal });
  const other = new MemoryDevice({ sizeBytes: SIZE_BYTES });
  const { address } = await serve({ device, other });
  const client = await open(address, 'device');
  const neighbour = await open(address, 'other');
  const read = client.read(0, 512);
  await expect.poll(() => memory.calls).toHaveLength(1);
  gone.abort();
  letPass();
  expect(await read).toHaveLength(512);
  await client.closed;
  expect(memory.closes).toBe(1);
  expect(await neighbour.read(0, 512)).toHaveLength(512);
});

test('a device that has gone before its client is ready serves nothing', async () => {
  const memory = new MemoryDevice({ sizeBytes: SIZE_BYTES });
  const { address } = await serve({ device: Object.assign(memory, { gone: AbortSignal.abort() }) });
  const client = await open(address, 'device');
  await expect(client.read(0, 512)).rejects.toBeInstanceOf(NbdDisconnected);
  await client.closed;
  expect(memory.calls).toEqual([]);
  expect(memory.closes).toBe(1);
});
