// Properties of the NBD server and client under random loads and random bytes. A failure prints its
// seed.
import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { open, serve } from './nbd-fixture.js';
import { MemoryDevice } from './nbd-memory-device.js';
import { RawClient, request } from './nbd-raw-client.js';

const BLOCK_BYTES = 512;
const BLOCKS = 64;
const SIZE_BYTES = BLOCK_BYTES * BLOCKS;

interface Operation {
  readonly kind: 'read' | 'write' | 'zeroes';
  readonly block: number;
  readonly blocks: number;
  readonly fill: number;
}

const operation = fc.record<Operation>({
  kind: fc.constantFrom('read', 'write', 'zeroes'),
  block: fc.nat(BLOCKS - 1),
  blocks: fc.integer({ min: 1, max: 16 }),
  fill: fc.integer({ min: 1, max: 255 }),
});

/** Batches in which no two operations touch the same block, so that their order doesn't matter. */
function batches(operations: readonly Operation[]): readonly (readonly Operation[])[] {
  const result: Operation[][] = [];
  let taken = new Set<number>();
  let batch: Operation[] = [];
  for (const { block, blocks, ...rest } of operations) {
    const fitting = Math.min(blocks, BLOCKS - block);
    const range = Array.from({ length: fitting }, (_, index) => block + index);
    if (range.some((touched) => taken.has(touched))) {
      result.push(batch);
      batch = [];
      taken = new Set();
    }
    for (const touched of range) taken.add(touched);
    batch.push({ ...rest, block, blocks: fitting });
  }
  return [...result, batch];
}

test('concurrent reads and writes of separate ranges read and leave what a plain array would', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 80 }),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (operations, delays, atOnce) => {
        let calls = 0;
        const gate = async (): Promise<void> => {
          const turns = delays[calls++ % delays.length] ?? 0;
          for (let turn = 0; turn < turns; turn += 1) {
            await new Promise((resolve) => void setImmediate(resolve));
          }
        };
        const device = new MemoryDevice({ sizeBytes: SIZE_BYTES, ...(atOnce ? {} : { gate }) });
        const { server, address } = await serve(
          { vol: device },
          { limits: { requestsInFlightMax: 3, bytesInFlightMax: 6000 } },
        );
        const client = await open(address, 'vol');
        const model = Buffer.alloc(SIZE_BYTES);
        for (const batch of batches(operations)) {
          const asTheModel = await Promise.all(
            batch.map(async ({ kind, block, blocks, fill }) => {
              const [offset, length] = [block * BLOCK_BYTES, blocks * BLOCK_BYTES];
              const before = Buffer.from(model.subarray(offset, offset + length));
              if (kind === 'read') {
                const data = await client.read(offset, length);
                return data.equals(before);
              }
              model.fill(kind === 'write' ? fill : 0, offset, offset + length);
              if (kind === 'write') await client.write(offset, Buffer.alloc(length, fill));
              else await client.zeroes(offset, length);
              return true;
            }),
          );
          expect(asTheModel).not.toContain(false);
        }
        await client.disconnect();
        await server.stop();
        expect(device.content.equals(model)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
}, 30_000);

const someRequest = fc
  .record({
    type: fc.nat(8),
    flags: fc.oneof(fc.constant(0), fc.nat(0xffff)),
    cookie: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    offset: fc.oneof(fc.bigInt({ min: 0n, max: BigInt(SIZE_BYTES) }), fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })),
    length: fc.oneof(fc.nat(2 * SIZE_BYTES), fc.nat(0xffffffff)),
  })
  .map(request);
const someBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const garbage = fc.array(fc.oneof(someRequest, someBytes), { maxLength: 20 });

test('random bytes, in the handshake or after it, never disturb the server or another client', async () => {
  const { server, address } = await serve({
    vol: new MemoryDevice({ sizeBytes: SIZE_BYTES }),
    victim: new MemoryDevice({ sizeBytes: SIZE_BYTES }),
  });
  const other = await open(address, 'vol');
  let round = 0;
  await fc.assert(
    fc.asyncProperty(garbage, fc.constantFrom('raw', 'greeted', 'opened'), async (pieces, stage) => {
      const client = await connectAt(stage);
      for (const piece of pieces) client.send(piece);
      client.socket.end();
      await client.untilClosed();
      round += 1;
      await other.write(0, Buffer.alloc(BLOCK_BYTES, round));
      const read = await other.read(0, BLOCK_BYTES);
      expect(read.equals(Buffer.alloc(BLOCK_BYTES, round))).toBe(true);
    }),
    { numRuns: 300 },
  );
  await other.disconnect();
  await server.stop();

  function connectAt(stage: string): Promise<RawClient> {
    if (stage === 'raw') return RawClient.connect(address);
    return stage === 'greeted' ? RawClient.greeted(address) : RawClient.opened(address, 'victim');
  }
}, 30_000);
