// How fast the product's own workflow compares a volume with its replica online, beside `qemu-img
// compare` on the same two files.
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import type { VolumeId } from '../../contracts/ids.js';
import { verifyReportSchema } from '../../contracts/verify.js';
import { withExport } from '../../estate/compare.js';
import { REPLICA_SITE_ID } from '../../estate/launch.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { runProgram } from '../child.js';
import { DENSE_MIB, DENSE_VOLUME, SPARSE_VOLUME, SPLITTER } from './history-estate.js';
import type { Testbed } from './testbed.js';

const MIB = 1024 * 1024;
const WRITE_DEPTH = 4;
/** MiB written before waiting for quiet: half a volume's queue, so filling never overflows it. */
const BURST_MIB = 32;
const QUIET_MS_MAX = 60_000;
/** Throttle, bytes a second: the most that the product accepts, so nothing is throttled. */
const BYTES_PER_SECOND = 100 * 1024 * MIB;

export const OURS = 'online verification';
export const PEER = 'qemu-img compare';

interface ComparedVolume {
  readonly id: VolumeId;
  readonly sizeMiB: number;
  readonly kind: 'dense' | 'sparse';
  readonly content: string;
}

export const COMPARED: readonly ComparedVolume[] = [
  { id: DENSE_VOLUME, sizeMiB: DENSE_MIB, kind: 'dense', content: 'dense' },
  {
    id: SPARSE_VOLUME.id,
    sizeMiB: SPARSE_VOLUME.sizeMiB,
    kind: 'sparse',
    content: `sparse, ${SPARSE_VOLUME.changedMiB / 2} MiB of data`,
  },
];

export interface Compared {
  readonly subject: typeof OURS | typeof PEER;
  readonly volume: string;
  readonly repetition: number;
  /** Time from starting the workflow or program to its result, ms. */
  readonly ms: number;
  readonly bytesPerSecond: number;
}

/** Fills the dense volume. */
export async function prepareVerification(testbed: Testbed): Promise<void> {
  await withExport(testbed.source(DENSE_VOLUME), async (disk) => {
    const buffers = Array.from({ length: WRITE_DEPTH }, () => randomFillSync(Buffer.alloc(MIB)));
    for (let from = 0; from < DENSE_MIB; from += BURST_MIB) {
      let next = from;
      const lane = async (data: Buffer): Promise<void> => {
        while (next < Math.min(from + BURST_MIB, DENSE_MIB)) {
          const at = next;
          next += 1;
          data.writeUInt32LE(at);
          await disk.write(at * MIB, data);
        }
      };
      await Promise.all(buffers.map(lane));
      await waitUntilQuiet(testbed.client, { volume: DENSE_VOLUME, timeoutMs: QUIET_MS_MAX });
    }
  });
}

/**
 * Compares in alternating order, after one unmeasured comparison each.
 * @throws Error when a comparison fails or finds a difference
 */
export async function measureVerification(
  testbed: Testbed,
  repetitions: number,
  print: (line: string) => void,
): Promise<Compared[]> {
  for (const volume of COMPARED) for (const compare of [ours, peer]) await compare(testbed, volume.id);
  const runs: Compared[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (const { id, sizeMiB, content } of COMPARED) {
      const both = [
        { subject: OURS, compare: ours },
        { subject: PEER, compare: peer },
      ] as const;
      for (const { subject, compare } of repetition % 2 === 1 ? both : both.toReversed()) {
        const startedAtMs = performance.now();
        await compare(testbed, id);
        const ms = performance.now() - startedAtMs;
        const bytesPerSecond = (sizeMiB * MIB * 1_000) / ms;
        print(`${repetition}. ${subject}, ${sizeMiB} MiB ${content}: ${Math.round(bytesPerSecond / MIB)} MiB/s`);
        runs.push({ subject, volume: id, repetition, ms, bytesPerSecond });
      }
    }
  }
  return runs;
}

export function comparedOf(
  runs: readonly Compared[],
  { id }: ComparedVolume,
  subject: Compared['subject'],
): Compared[] {
  return runs.filter((run) => run.volume === id && run.subject === subject);
}

async function ours({ client, temporal }: Testbed, volume: VolumeId): Promise<void> {
  const { workflowId } = await client.verifications.start({ volume, bytesPerSecond: BYTES_PER_SECOND });
  const { mismatchedRegions } = verifyReportSchema.parse(await temporal.workflow.getHandle(workflowId).result());
  if (mismatchedRegions > 0)
    throw new Error(`Volume ${volume} differs from its replica in ${mismatchedRegions} regions.`);
}

/** Compares by the peer. Both files must be quiet: it can't compare them otherwise. */
async function peer({ folder }: Testbed, volume: VolumeId): Promise<void> {
  const source = join(folder, SPLITTER, 'volumes', `${volume}.img`);
  const replica = join(folder, REPLICA_SITE_ID, 'volumes', volume, 'replica.img');
  await runProgram('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', source, replica]);
}
