// Compares two exports byte for byte.
import type { NbdAddress } from '../nbd/address.js';
import { connectNbd } from '../nbd/client.js';
import type { NbdClient } from '../nbd/nbd-client.js';
import { readAhead } from '../nbd/read-ahead.js';

export interface Export {
  readonly address: NbdAddress;
  readonly name: string;
}

export interface Comparison {
  readonly sizeBytes: number;
  readonly differentBytes: number;
  /** Offset of the first difference, bytes. */
  readonly firstDifference?: number;
}

/** Compares two exports. @throws Error when an export can't be read or the sizes differ */
export async function compareExports(left: Export, right: Export): Promise<Comparison> {
  return await withExport(left, async (a) => withExport(right, async (b) => compare(a, b)));
}

/** Opens an export while `work` runs. */
export async function withExport<T>({ address, name }: Export, work: (client: NbdClient) => Promise<T>): Promise<T> {
  const client = await connectNbd(address, name);
  try {
    return await work(client);
  } finally {
    await client.disconnect();
  }
}

async function compare(a: NbdClient, b: NbdClient): Promise<Comparison> {
  const { sizeBytes } = a;
  if (sizeBytes !== b.sizeBytes) throw new Error(`The sizes differ: ${sizeBytes} and ${b.sizeBytes} bytes.`);
  let differentBytes = 0;
  let firstDifference: number | undefined;
  const others = readAhead(b);
  for await (const { offset, data } of readAhead(a)) {
    const other = await others.next();
    if (other.done === true) throw new Error('An export ended early.');
    if (data.equals(other.value.data)) continue;
    for (let i = 0; i < data.length; i += 1) {
      if (data[i] === other.value.data[i]) continue;
      differentBytes += 1;
      firstDifference ??= offset + i;
    }
  }
  return { sizeBytes, differentBytes, ...(firstDifference === undefined ? {} : { firstDifference }) };
}
