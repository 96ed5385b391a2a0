// fio writing and verifying throughout a move, and what the move promises held against the
// splitter's own trace of fio's writes.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import type { MoveReport } from '../../contracts/move.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { GUEST_BLOCK_BYTES } from '../../estate/guest/block.js';
import { uriOf } from '../support/test-estate.js';
import { type Finished, runLongTool, succeed } from '../support/tools.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { blocksUnlike, replayTrace } from '../support/write-trace.js';
import {
  DISK,
  GOLD,
  GOLD_NEIGHBOUR,
  MIB,
  OutsideEstate,
  SILVER,
  SILVER_NEIGHBOUR,
  SIZE_MIB,
} from './outside-estate.js';

let outside: OutsideEstate;
beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'));
});
afterAll(async () => outside.stop());

describe('fio writing and verifying throughout a move', () => {
  /**
   * Blocks, each written once: 20 s at this rate, so that the move is in the middle even of a slow
   * run.
   */
  const WRITES = 6_000;
  const WRITES_PER_SECOND = 300;
  let report: MoveReport;

  test('meets no error, and afterwards the replica is the source', async () => {
    const fio = runFio(await outside.sourceUri(DISK));
    const numbered = async (): Promise<number> =>
      (await outside.estate.splitter().calls.inventory({ volume: DISK })).volumes[0]?.last.n ?? 0;
    await untilTrue('the first writes of fio', PATIENCE_MS, async () => (await numbered()) > 100);
    report = await outside.estate.move({ volume: DISK, to: SILVER });
    const atTheEnd = await numbered();
    const { exitCode, output } = await fio;
    expect(exitCode, output).toBe(0);
    const [job] = z
      .object({ jobs: z.tuple([fioJobSchema]) })
      .parse(JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1))).jobs;
    expect(job).toMatchObject({ error: 0, write: { total_ios: WRITES } });
    expect(job.read.total_ios).toBeGreaterThanOrEqual(WRITES);
    // fio wrote before the fence, behind it, and after the join.
    expect(report.volumes[0]?.cut.n).toBeGreaterThanOrEqual(100);
    expect(report.volumes[0]).toMatchObject({ epochAfter: 2, resentBytes: 0, holes: [] });
    expect(atTheEnd).toBeLessThan(await numbered());
    await outside.expectReplicaEqual(DISK);
  });

  test('the "left" bookmark is, byte for byte, the splitter’s own trace of writes up to the cut', async () => {
    const cut = report.volumes[0]?.cut;
    if (cut === undefined) throw new Error('The report names no cut.');
    const trace = join(outside.estate.folder, 'host-1', 'volumes', `${DISK}.trace`);
    const disk = await replayTrace(trace, cut);
    expect(disk.size).toBeGreaterThan(100);
    expect(disk.size).toBeLessThan(WRITES);
    expect(await blocksUnlike(await outside.estate.image(DISK, report.bookmarks.left.point), disk)).toEqual([]);
    // Told apart from its neighbours in the trace: one write fewer is another disk.
    const before = await replayTrace(trace, { session: cut.session, n: cut.n - 1 });
    expect(await blocksUnlike(await outside.estate.image(DISK, report.bookmarks.left.point), before)).toHaveLength(1);
  });

  test('the bookmarks can be opened at both appliances, and by the volume alone', async () => {
    for (const appliance of ['appliance-1', 'appliance-2']) {
      for (const { point } of [report.bookmarks.left, report.bookmarks.joined]) {
        const info: unknown = JSON.parse(
          await succeed('qemu-img', 'info', '--output=json', uriOf(await outside.estate.image(DISK, point, appliance))),
        );
        expect(info).toMatchObject({ 'virtual-size': SIZE_MIB * MIB });
      }
    }
  });

  test('the other members of both groups kept taking recovery points during the move', async () => {
    for (const [group, member] of [
      [GOLD, GOLD_NEIGHBOUR],
      [SILVER, SILVER_NEIGHBOUR],
    ] as const) {
      const points = pointsAround(report, (await outside.estate.client.points.list({ group })).points);
      const positions = points.map(({ members }) => members.find(({ volume }) => volume === member)?.position);
      expect(positions, `${member} is in each point`).not.toContain(undefined);
      expect(positions.at(-1), `${member} was written on`).toBeGreaterThan(positions.at(0) ?? Number.POSITIVE_INFINITY);
      expect(points.length, `${group}: before, during and after`).toBeGreaterThanOrEqual(3);
    }
  });

  const fioJobSchema = z.object({
    error: z.number(),
    read: z.object({ total_ios: z.number() }),
    write: z.object({ total_ios: z.number() }),
  });

  async function runFio(uri: string): Promise<Finished> {
    return await runLongTool(
      'fio',
      '--name=verify',
      '--ioengine=nbd',
      `--uri=${uri}`,
      '--rw=randwrite',
      `--bs=${GUEST_BLOCK_BYTES}`,
      `--size=${SIZE_MIB * MIB}`,
      `--io_size=${WRITES * GUEST_BLOCK_BYTES}`,
      `--rate_iops=,${WRITES_PER_SECOND}`,
      '--iodepth=8',
      '--verify=crc32c',
      '--verify_backlog=64',
      '--verify_fatal=1',
      '--verify_state_save=0',
      '--output-format=json',
    );
  }
});

/** Points from the last one before the move to the first one after it. */
function pointsAround({ startedAtMs, endedAtMs }: MoveReport, points: readonly RecoveryPoint[]): RecoveryPoint[] {
  const first = points.findLastIndex(({ atMs }) => atMs < startedAtMs);
  const last = points.findIndex(({ atMs }) => atMs > endedAtMs);
  if (first < 0 || last < 0) throw new Error('There is no point before the move, or none after it.');
  return points.slice(first, last + 1);
}
