// fio writing and verifying while its volume goes round three groups; then fio itself verifies the
// volume and what was kept of it.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MoveReport } from '../../contracts/move.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { GUEST_BLOCK_BYTES } from '../../estate/guest/block.js';
import { type Finished, runLongTool, succeed } from '../support/tools.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { blocksUnlike, replayTrace } from '../support/write-trace.js';
import { BRONZE, DISK, GOLD, MIB, OutsideEstate, SILVER, SIZE_MIB } from './outside-estate.js';

const GROUPS = 3;
let outside: OutsideEstate;
beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'), { groups: GROUPS });
});
afterAll(async () => outside.stop());

describe('fio writing and verifying throughout three moves, round to the first group', () => {
  /** Blocks, each written once: 15 s at this rate, so that even slow moves are in the middle. */
  const WRITES = 3_000;
  const WRITES_PER_SECOND = 200;
  /** Writes between two moves: enough that no two bookmarks hold the same. */
  const WRITES_BETWEEN = 100;
  const reports: MoveReport[] = [];

  test('meets no error, and afterwards the replica is the source', async () => {
    const fio = runFio(overNbd(await outside.sourceUri(DISK)), [
      `--io_size=${WRITES * GUEST_BLOCK_BYTES}`,
      `--rate_iops=,${WRITES_PER_SECOND}`,
      '--verify_backlog=64',
    ]);
    await writesAfter(0);
    for (const to of [SILVER, BRONZE, GOLD]) {
      reports.push(await outside.estate.move({ volume: DISK, to }));
      await writesAfter(await numbered());
    }
    const { exitCode, output } = await fio;
    expect(exitCode, output).toBe(0);
    expect(await numbered()).toBe(WRITES);
    expect(reports.flatMap(({ volumes }) => volumes.flatMap(({ holes }) => holes))).toEqual([]);
    await outside.expectReplicaEqual(DISK);
  });

  test('verifies the volume itself', async () => {
    await expectVerified(overNbd(await outside.sourceUri(DISK)), WRITES);
  });

  test('verifies the recovered image of the last point, which has every write', async () => {
    const point = await until('a point with every write', PATIENCE_MS, async () => {
      const closed = await outside.estate.appliance('appliance-1').calls.closePoint({ group: GOLD });
      return positionIn(closed) === WRITES ? closed : undefined;
    });
    await expectVerified(await recovered(point.id), WRITES);
  });

  test('verifies exactly the writes up to each "left" and each "joined" bookmark, which are those of the splitter’s own trace', async () => {
    const { points } = await outside.estate.client.points.list({ volume: DISK });
    const trace = join(outside.estate.folder, 'host-1', 'volumes', `${DISK}.trace`);
    let writesBefore = 0;
    for (const { bookmarks, volumes } of reports) {
      const cut = volumes[0]?.cut;
      if (cut === undefined) throw new Error('The report names no cut.');
      for (const { point: id } of [bookmarks.left, bookmarks.joined]) {
        // The splitter never restarted: the volume's positions are its numbers.
        const writes = positionIn(points.find((point) => point.id === id)) ?? Number.NaN;
        expect(writes, id).toBeGreaterThanOrEqual(writesBefore);
        expect(writes, id).toBeLessThan(WRITES);
        expect(id === bookmarks.left.point ? writes : cut.n, id).toBe(cut.n);
        writesBefore = writes;
        const copy = await recovered(id);
        await expectVerified(copy, writes);
        // One write more is not there: fio would miss it.
        const { exitCode, output } = await runVerify(copy, writes + 1);
        expect(exitCode, `${id}, write ${writes + 1}\n${output}`).not.toBe(0);
        const disk = await replayTrace(trace, { session: cut.session, n: writes });
        expect(disk.size).toBe(writes);
        expect(await blocksUnlike(await outside.estate.image(DISK, id), disk), id).toEqual([]);
      }
    }
    expect(writesBefore).toBeGreaterThan(GROUPS * WRITES_BETWEEN);
  });

  async function writesAfter(before: number): Promise<void> {
    await untilTrue('writes of fio', PATIENCE_MS, async () => (await numbered()) > before + WRITES_BETWEEN);
  }

  async function numbered(): Promise<number> {
    return (await outside.estate.splitter().calls.inventory({ volume: DISK })).volumes[0]?.last.n ?? 0;
  }

  function positionIn(point: RecoveryPoint | undefined): number | undefined {
    return point?.members.find(({ volume }) => volume === DISK)?.position;
  }

  /** Copies the volume as it was at a point. @returns where fio finds the copy */
  async function recovered(point: string): Promise<readonly string[]> {
    const path = outside.scratch(`${point}.img`);
    await succeed('nbdcopy', await outside.imageUri(DISK, point), path);
    return ['--ioengine=psync', `--filename=${path}`];
  }

  function overNbd(uri: string): readonly string[] {
    return ['--ioengine=nbd', `--uri=${uri}`];
  }

  async function expectVerified(where: readonly string[], writes: number): Promise<void> {
    const { exitCode, output } = await runVerify(where, writes);
    expect(exitCode, `${where.join(' ')}, ${writes} writes\n${output}`).toBe(0);
  }

  /**
   * Reads the first so many blocks in the order in which they were written, and checks each one's
   * header and content.
   */
  async function runVerify(where: readonly string[], writes: number): Promise<Finished> {
    return await runFio(where, ['--verify_only', `--io_size=${writes * GUEST_BLOCK_BYTES}`]);
  }

  /** One write at a time, so that the splitter numbers them in fio's own order. */
  async function runFio(where: readonly string[], more: readonly string[]): Promise<Finished> {
    return await runLongTool(
      'fio',
      '--name=verify',
      ...where,
      '--rw=randwrite',
      `--bs=${GUEST_BLOCK_BYTES}`,
      `--size=${SIZE_MIB * MIB}`,
      '--iodepth=1',
      '--verify=crc32c',
      '--verify_fatal=1',
      '--verify_state_save=0',
      ...more,
    );
  }
});
