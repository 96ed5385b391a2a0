// The maps of an image against a replica site that counts what it is asked.
import { expect, test } from 'vitest';
import { pointIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import type { MetaContext } from '../../nbd/meta-context.js';
import { CHANGED_SINCE, imageContexts, type MappedImage } from '../../simulator/appliance/images/image-contexts.js';

/** The smallest hole that is told. */
const BLOCK_BYTES = 64 * 1024;
const BLOCKS = 5_000;
/** What the site answers at most. */
const PARTS_MAX = 1_024;
const P1 = pointIdSchema.parse('p000000001');

/** An image whose blocks are data and hole in turn. */
class Striped implements MappedImage {
  readonly #stripeBytes: number;
  readonly #sizeBytes: number;
  asked = 0;
  failure: MoverError | undefined;

  constructor(stripeBytes = BLOCK_BYTES, sizeBytes = BLOCKS * BLOCK_BYTES) {
    this.#stripeBytes = stripeBytes;
    this.#sizeBytes = sizeBytes;
  }

  get held() {
    const volume = volumeIdSchema.parse('v1');
    return { volume, client: 'a test', image: 'i1', position: 7, sizeBytes: this.#sizeBytes };
  }

  async parts(offset: number, length: number): Promise<{ length: number; isHole: boolean }[]> {
    return this.#stripes(offset, length).map((each) => ({ length: each.length, isHole: each.odd }));
  }

  async changes(_since: unknown, offset: number, length: number): Promise<{ length: number; isChanged: boolean }[]> {
    return this.#stripes(offset, length).map((each) => ({ length: each.length, isChanged: each.odd }));
  }

  async earlierPoints(): Promise<readonly (typeof P1)[]> {
    return [P1];
  }

  #stripes(offset: number, length: number): { length: number; odd: boolean }[] {
    this.asked += 1;
    if (this.failure !== undefined) throw this.failure;
    const stripes: { length: number; odd: boolean }[] = [];
    for (let at = offset; at < offset + length && stripes.length < PARTS_MAX;) {
      const block = Math.floor(at / this.#stripeBytes);
      const end = Math.min(offset + length, (block + 1) * this.#stripeBytes);
      stripes.push({ length: end - at, odd: block % 2 === 1 });
      at = end;
    }
    return stripes;
  }
}

/** Asks as qemu does: for one extent, then for the next. */
async function walk(context: MetaContext | undefined, sizeBytes: number): Promise<number[]> {
  const flags: number[] = [];
  for (let at = 0; at < sizeBytes;) {
    const [first] = (await context?.extents(at, sizeBytes - at, 1)) ?? [];
    if (first === undefined) throw new Error(`no extent at ${at}`);
    flags.push(first.flags);
    at += first.length;
  }
  return flags;
}

test('a client that asks extent by extent costs the site one question for a thousand', async () => {
  const image = new Striped();
  const contexts = imageContexts(image, undefined);
  expect(await contexts.list()).toEqual(['base:allocation', `${CHANGED_SINCE}${P1}`]);
  for (const [name, odd] of [
    ['base:allocation', 3],
    [`${CHANGED_SINCE}${P1}`, 1],
  ] as const) {
    const context = await contexts.open(name);
    image.asked = 0;
    const flags = await walk(context, image.held.sizeBytes);
    expect(flags).toEqual(Array.from({ length: BLOCKS }, (_, block) => (block % 2 === 1 ? odd : 0)));
    expect(image.asked).toBeLessThanOrEqual(Math.ceil(BLOCKS / PARTS_MAX));
  }
});

test('16 TiB with little in them cost the site one question, though a client asks about 4 GiB at a time', async () => {
  const sizeBytes = 16 * 1024 ** 4;
  const image = new Striped(1024 ** 4, sizeBytes);
  const context = await imageContexts(image, undefined).open('base:allocation');
  image.asked = 0;
  for (let at = 0; at < sizeBytes; at += 4 * 1024 ** 3) {
    const [first] = (await context?.extents(at, 4 * 1024 ** 3, 4_096)) ?? [];
    expect(first?.flags).toBe(Math.floor(at / 1024 ** 4) % 2 === 1 ? 3 : 0);
  }
  expect(image.asked).toBe(1);
});

test('an answer is kept for what it covers alone, in any order', async () => {
  const image = new Striped();
  const context = await imageContexts(image, undefined).open('base:allocation');
  for (const block of [4_000, 4_001, 0, 3_999, 1_023, 1_024, 4_999]) {
    const [first] = (await context?.extents(block * BLOCK_BYTES + 10, BLOCK_BYTES, 1)) ?? [];
    expect(first).toEqual({ length: BLOCK_BYTES - 10, flags: block % 2 === 1 ? 3 : 0 });
  }
});

test('small holes between data are told as data: each stretch of data costs a client a read', async () => {
  const image = new Striped(4_096);
  const context = await imageContexts(image, undefined).open('base:allocation');
  const [first] = (await context?.extents(0, image.held.sizeBytes, 1)) ?? [];
  expect(first).toEqual({ length: (PARTS_MAX - 1) * 4_096, flags: 0 });
});

test('a site that fails is told as the protocol can, and asked again', async () => {
  const image = new Striped();
  const contexts = imageContexts(image, undefined);
  const context = await contexts.open('base:allocation');
  image.failure = new MoverError('UNREACHABLE', 'The site is away.');
  await expect(context?.extents(0, BLOCK_BYTES, 1)).rejects.toMatchObject({ code: 'EIO' });
  await expect(contexts.open(`${CHANGED_SINCE}${P1}`)).rejects.toMatchObject({ code: 'EPERM' });
  image.failure = undefined;
  expect(await context?.extents(0, BLOCK_BYTES, 1)).not.toEqual([]);
  expect(await contexts.open(`${CHANGED_SINCE}not a point`)).toBeUndefined();
});
