// What it costs to verify, to recover and to resync a volume of 16 TiB with little in it: the cost
// follows the content.
import { randomFillSync } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { duration } from '../../client/text/format.js';
import { verifyReportSchema } from '../../contracts/verify.js';
import { withExport } from '../../estate/compare.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { loadMarks, MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { THIN_DATA_MIB, THIN_MIB, THIN_VOLUME } from './history-estate.js';
import type { Testbed } from './testbed.js';

const MIB = 1024 * 1024;
const QUIET_MS_MAX = 60_000;
/** Bytes of one of `stat`'s blocks. */
const SECTOR_BYTES = 512;

export interface ThinRun {
  readonly repetition: number;
  readonly verifyMs: number;
  readonly recoverMs: number;
  /** Comparison of the whole volume with its replica, by order, until nothing is marked. */
  readonly resyncMs: number;
}

/** Seconds to load the bitmap of the volume after it was lost: everything is marked then. */
export function lostBitmapSeconds(folder: string): number {
  const path = join(folder, 'lost.marks');
  const startedAtMs = performance.now();
  const { marks, lost } = loadMarks(path, THIN_MIB * MIB, true);
  const file = new MarksFile(path, marks, lost !== undefined);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  file.close();
  if (marks.dirty !== marks.regions) throw new Error(`${marks.dirty} of ${marks.regions} regions are sent again.`);
  return seconds;
}

/** Writes the data in pieces of 1 MiB, spread over the whole volume. */
export async function prepareThin(testbed: Testbed): Promise<void> {
  const piece = randomFillSync(Buffer.alloc(MIB));
  await withExport(testbed.source(THIN_VOLUME), async (disk) => {
    for (let i = 0; i < THIN_DATA_MIB; i += 1)
      await disk.write(Math.floor((i * (THIN_MIB - 1)) / (THIN_DATA_MIB - 1)) * MIB, piece);
  });
  await waitUntilQuiet(testbed.client, { volume: THIN_VOLUME, timeoutMs: QUIET_MS_MAX });
}

/**
 * Verifies the volume with the default throttle, recovers it to a file, and resyncs it, in turns.
 * @throws Error when the replica differs, or the file has not what was written
 */
export async function measureThin(
  testbed: Testbed,
  repetitions: number,
  print: (line: string) => void,
): Promise<ThinRun[]> {
  const { client, temporal, folder } = testbed;
  const point = await testbed.closePoint();
  const to = join(folder, 'thin.img');
  const runs: ThinRun[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    let startedAtMs = performance.now();
    const { workflowId } = await client.verifications.start({ volume: THIN_VOLUME });
    const report = verifyReportSchema.parse(await temporal.workflow.getHandle(workflowId).result());
    if (report.mismatchedRegions > 0) throw new Error(`Volume ${THIN_VOLUME} differs from its replica.`);
    const verifyMs = performance.now() - startedAtMs;
    startedAtMs = performance.now();
    await client.points.recover({ volume: THIN_VOLUME, point, to, overwrite: true });
    const recoverMs = performance.now() - startedAtMs;
    const { size, blocks } = await stat(to);
    if (size !== THIN_MIB * MIB) throw new Error(`${to} is ${size} bytes long instead of ${THIN_MIB * MIB}.`);
    if (blocks * SECTOR_BYTES < THIN_DATA_MIB * MIB)
      throw new Error(`${to} has ${blocks * SECTOR_BYTES} of ${THIN_DATA_MIB * MIB} bytes of data.`);
    startedAtMs = performance.now();
    await client.volumes.resync({ volume: THIN_VOLUME });
    await waitUntilQuiet(client, { volume: THIN_VOLUME, timeoutMs: QUIET_MS_MAX });
    const resyncMs = performance.now() - startedAtMs;
    print(
      `${repetition}. ${THIN_MIB} MiB thin: verified in ${duration(verifyMs)}, recovered in ${duration(recoverMs)}, resynced in ${duration(resyncMs)}`,
    );
    runs.push({ repetition, verifyMs, recoverMs, resyncMs });
  }
  return runs;
}
