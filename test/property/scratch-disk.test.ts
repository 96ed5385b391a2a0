// The scratch of a writable image under random requests, held against a plain array. A failure
// prints its seed.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchBudget } from '../../simulator/appliance/images/scratch-budget.js';
import { SCRATCH_BLOCK_BYTES, ScratchDisk } from '../../simulator/appliance/images/scratch-disk.js';

/** The last block is cut short, as a volume's may be. */
const SIZE_BYTES = 23 * SCRATCH_BLOCK_BYTES + 1_000;
const BLOCKS = Math.ceil(SIZE_BYTES / SCRATCH_BLOCK_BYTES);
const UNLIMITED = 1024 * SIZE_BYTES;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scratch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the disk below has: no zeroes, and neighbouring bytes and blocks differ. */
const BELOW = Buffer.from(Array.from({ length: SIZE_BYTES }, (_, at) => 1 + ((at * 31 + (at >> 8)) % 255)));

async function below(offset: number, length: number): Promise<Buffer> {
  await new Promise((resolve) => void setImmediate(resolve));
  return Buffer.from(BELOW.subarray(offset, offset + length));
}

function disk(budget: ScratchBudget, name = 'disk'): ScratchDisk {
  const nothing = (): void => undefined;
  const told = { onFull: nothing, onRefused: nothing, onTaken: nothing };
  return new ScratchDisk({ path: join(folder, name), sizeBytes: SIZE_BYTES, budget, ...told });
}

interface Request {
  readonly kind: 'read' | 'write' | 'zeroes' | 'reserve' | 'trim' | 'flush';
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
  readonly fua: boolean;
}

/** Offsets near the edges of blocks are as likely as any others. */
const place = fc.oneof(
  fc.nat(SIZE_BYTES - 1),
  fc
    .tuple(fc.nat(BLOCKS - 1), fc.constantFrom(0, 1, SCRATCH_BLOCK_BYTES - 1))
    .map(([block, within]) => Math.min(SIZE_BYTES - 1, block * SCRATCH_BLOCK_BYTES + within)),
);
const length = fc.oneof(
  fc.integer({ min: 1, max: 2 * SCRATCH_BLOCK_BYTES }),
  fc.constantFrom(1, SCRATCH_BLOCK_BYTES, 3 * SCRATCH_BLOCK_BYTES, SIZE_BYTES),
);
const request: fc.Arbitrary<Request> = fc
  .record({
    kind: fc.constantFrom<Request['kind']>('read', 'write', 'write', 'zeroes', 'reserve', 'trim', 'flush'),
    offset: place,
    length,
    fill: fc.integer({ min: 1, max: 255 }),
    fua: fc.boolean(),
  })
  .map((each) => ({ ...each, length: Math.min(each.length, SIZE_BYTES - each.offset) }));

/**
 * What the request leaves in the array; a trim may leave zeroes in whole blocks, and then it does.
 */
function apply(model: Buffer, { kind, offset, length, fill }: Request): void {
  const end = offset + length;
  if (kind === 'write') model.fill(fill, offset, end);
  if (kind === 'zeroes' || kind === 'reserve') model.fill(0, offset, end);
  if (kind !== 'trim') return;
  for (let start = 0; start < SIZE_BYTES; start += SCRATCH_BLOCK_BYTES) {
    const blockEnd = Math.min(SIZE_BYTES, start + SCRATCH_BLOCK_BYTES);
    if (offset <= start && blockEnd <= end) model.fill(0, start, blockEnd);
  }
}

async function send(scratch: ScratchDisk, { kind, offset, length, fill, fua }: Request): Promise<void> {
  if (kind === 'write') await scratch.write(offset, Buffer.alloc(length, fill), fua, below);
  else if (kind === 'flush') await scratch.flush();
  else if (kind !== 'read')
    await scratch.zeroes(offset, length, { fua, trim: kind === 'trim', mayTrim: kind !== 'reserve' }, below);
}

test('reads, writes, zeroes and trims of any alignment leave what a plain array would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 40 }), async (requests) => {
      const scratch = disk(new ScratchBudget(UNLIMITED));
      const model = Buffer.from(BELOW);
      for (const each of requests) {
        await send(scratch, each);
        apply(model, each);
        const { offset, length } = each;
        const read = await scratch.read(offset, length, below);
        expect(read.equals(model.subarray(offset, offset + length))).toBe(true);
      }
      expect((await scratch.read(0, SIZE_BYTES, below)).equals(model)).toBe(true);
      scratch.discard();
    }),
    { numRuns: 150 },
  );
});

test('requests under way at once that touch no byte in common lose nothing of each other, also within one block', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(request, { minLength: 2, maxLength: 12 }), { maxLength: 6 }),
      async (batches) => {
        const scratch = disk(new ScratchBudget(UNLIMITED));
        const model = Buffer.from(BELOW);
        for (const batch of batches) {
          const apart: Request[] = [];
          for (const each of batch) {
            const end = each.offset + each.length;
            const alone = apart.every((other) => end <= other.offset || other.offset + other.length <= each.offset);
            if (alone) apart.push(each);
          }
          await Promise.all(apart.map((each) => send(scratch, each)));
          for (const each of apart) apply(model, each);
          expect((await scratch.read(0, SIZE_BYTES, below)).equals(model)).toBe(true);
        }
        scratch.discard();
      },
    ),
    { numRuns: 100 },
  );
});

test('a limit is never exceeded: what does not fit is refused with ENOSPC and changes nothing (but edges of zeroes), what fits goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 40 }),
      fc.nat(BLOCKS + 2),
      async (requests, blocksMax) => {
        const whole = new ScratchBudget(UNLIMITED);
        const budget = new ScratchBudget(blocksMax * SCRATCH_BLOCK_BYTES, whole);
        const scratch = disk(budget);
        const model = Buffer.from(BELOW);
        for (const each of requests) {
          const code = await send(scratch, each).then(
            () => 'done',
            (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
          );
          if (code === 'done') apply(model, each);
          else {
            expect(code).toBe('ENOSPC');
            expect(budget.bytes + each.length + 2 * SCRATCH_BLOCK_BYTES).toBeGreaterThan(budget.bytesMax);
            // Zeroes that were refused may have been written at the edges of their range.
            if (each.kind === 'zeroes') (await scratch.read(each.offset, each.length, below)).copy(model, each.offset);
          }
          expect(budget.bytes).toBeLessThanOrEqual(budget.bytesMax);
          expect(whole.bytes).toBe(scratch.bytes);
          expect((await scratch.read(0, SIZE_BYTES, below)).equals(model)).toBe(true);
        }
        scratch.discard();
        expect(whole.bytes).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});

test('the limit of the whole process stands against several scratches together, and is given back', async () => {
  const whole = new ScratchBudget(2 * SCRATCH_BLOCK_BYTES);
  const [first, second] = [
    disk(new ScratchBudget(UNLIMITED, whole), 'a'),
    disk(new ScratchBudget(UNLIMITED, whole), 'b'),
  ];
  await first.write(10, Buffer.alloc(5, 1), false, below);
  await second.write(SCRATCH_BLOCK_BYTES, Buffer.alloc(1, 2), false, below);
  await expect(second.write(0, Buffer.alloc(1, 2), false, below)).rejects.toMatchObject({ code: 'ENOSPC' });
  // What is paid for already can be written again.
  await second.write(SCRATCH_BLOCK_BYTES + 7, Buffer.alloc(1, 3), false, below);
  first.discard();
  await second.write(0, Buffer.alloc(1, 2), false, below);
});

test('zeroes of a whole disk take no scratch, and a scratch that is thrown away leaves no file and takes nothing more', async () => {
  const budget = new ScratchBudget(SCRATCH_BLOCK_BYTES);
  const scratch = disk(budget);
  await scratch.zeroes(0, SIZE_BYTES, { fua: true, trim: false, mayTrim: true }, below);
  expect(budget.bytes).toBe(0);
  expect((await scratch.read(0, SIZE_BYTES, below)).equals(Buffer.alloc(SIZE_BYTES))).toBe(true);
  await scratch.write(3, Buffer.from('abc'), true, below);
  expect(existsSync(join(folder, 'disk'))).toBe(true);
  scratch.discard();
  scratch.discard();
  expect(existsSync(join(folder, 'disk'))).toBe(false);
  expect(budget.bytes).toBe(0);
  await expect(scratch.write(3, Buffer.from('abc'), false, below)).rejects.toMatchObject({ code: 'ESHUTDOWN' });
  await expect(scratch.read(3, 3, below)).rejects.toMatchObject({ code: 'ESHUTDOWN' });
});
