// A journaling ext4 that grows while its volume goes round three groups: every recovery point holds
// a whole step of it.
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { GroupId } from '../../contracts/ids.js';
import type { MoveReport } from '../../contracts/move.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { connectNbd } from '../../nbd/client.js';
import { succeed } from '../support/tools.js';
import { untilTrue } from '../support/until.js';
import { GrowingFileSystem, recover } from './growing-file-system.js';
import { Jbd2Journal } from './jbd2-journal.js';
import { BRONZE, DISK, GOLD, OutsideEstate, SILVER } from './outside-estate.js';

const GROUPS = 3;
const APPLIANCES: Readonly<Record<string, string>> = {
  [GOLD]: 'appliance-1',
  [SILVER]: 'appliance-2',
  [BRONZE]: 'appliance-3',
};
/** Small, because the disk is copied as often as there are points. */
const SIZE_MIB = 12;
/** Interval of points, ms: short, for the same reason. */
const POINT_EVERY_MS = 500;
/** Points in each group with the volume: both bookmarks of moves, one of a step, and others. */
const POINTS_MIN = 4;
/** Every so many steps a named bookmark is made of one. */
const BOOKMARK_EVERY = 3;
/** Steps written in each group between two moves, of which some are bookmarked. */
const STEPS_BETWEEN = 4;
/**
 * Steps made before a move, so that they are written one after the other while it runs: making one
 * takes longer than a move may.
 */
const STEPS_READY = 8;
/**
 * Longest time for some steps, and for the check of all points: each runs a handful of programs, on
 * a machine that others use.
 */
const STEPS_MS_MAX = 90_000;
const CHECK_MS_MAX = 300_000;

let outside: OutsideEstate;
let fileSystem: GrowingFileSystem;
/** Where the disk's history as a file system begins. */
let firstPosition: number;
beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'), {
    groups: GROUPS,
    sizeMiB: SIZE_MIB,
    pointEveryMs: POINT_EVERY_MS,
  });
  fileSystem = await GrowingFileSystem.make(outside.scratch('fs'), SIZE_MIB);
  await succeed('nbdcopy', '--flush', fileSystem.path, await outside.sourceUri(DISK));
  const { members } = await outside.estate.appliance('appliance-1').calls.closePoint({ group: GOLD });
  firstPosition = members.find(({ volume }) => volume === DISK)?.position ?? Number.NaN;
});
afterAll(async () => outside.stop());

describe('an ext4 file system that grows while its volume is moved from group to group, back to its first', () => {
  const reports: MoveReport[] = [];
  /** The step that was the newest when a point was made, by point. */
  const bookmarked = new Map<string, number>();
  test(
    'is written throughout three moves, and afterwards the replica is the source',
    async () => {
      const writer = await GrowingWriter.start();
      const writing = writer.run();
      const failed = writing.then(async () => Promise.reject(new Error('The writer ended.')));
      failed.catch(() => undefined);
      const stepsIn = async (group: GroupId): Promise<void> => {
        writer.group = group;
        const [bookmarks, newest] = [writer.bookmarks, writer.newest];
        await Promise.race([
          untilTrue(
            'steps in the group',
            STEPS_MS_MAX,
            async () => writer.newest >= newest + STEPS_BETWEEN && writer.bookmarks > bookmarks,
          ),
          failed,
        ]);
      };
      await stepsIn(GOLD);
      for (const to of [SILVER, BRONZE, GOLD]) {
        await Promise.race([writer.holdWith(STEPS_READY), failed]);
        const before = writer.newest;
        const moving = outside.estate.move({ volume: DISK, to });
        writer.goOn();
        reports.push(await Promise.race([moving, failed]));
        expect(writer.newest, `steps written during the move to ${to}`).toBeGreaterThan(before);
        await stepsIn(to);
      }
      writer.stopping = true;
      await writing;
      expect(reports.flatMap(({ volumes }) => volumes.flatMap(({ holes }) => holes))).toEqual([]);
      await outside.expectReplicaEqual(DISK);
      expect(await stepOf(await outside.imageUri(DISK), 'the end')).toBe(writer.newest);
    },
    CHECK_MS_MAX,
  );

  test(
    'is clean, and whole to the byte, on every retained recovery point of every group, after the journal’s replay at most',
    async () => {
      const points = await pointsWithDisk();
      let stepBefore = 0;
      const groups = new Map<GroupId, number>();
      const steps = new Set<number>();
      for (const point of points) {
        const step = await stepOf(await outside.imageUri(DISK, point.id), point.id);
        expect(step, `${point.id} after ${stepBefore}`).toBeGreaterThanOrEqual(stepBefore);
        expect(step, `bookmark ${point.bookmark?.name}`).toBe(bookmarked.get(point.id) ?? step);
        stepBefore = step;
        steps.add(step);
        groups.set(point.group, (groups.get(point.group) ?? 0) + 1);
      }
      console.log(
        `${points.length} points, ${known.size} images, ${steps.size} steps of ${fileSystem.newest}, ${bookmarked.size} bookmarked`,
      );
      console.log(JSON.stringify(Object.fromEntries(groups)));
      for (const group of [GOLD, SILVER, BRONZE])
        expect(groups.get(group), `points of ${group}`).toBeGreaterThanOrEqual(POINTS_MIN);
      expect(steps.size).toBeGreaterThan(GROUPS * STEPS_BETWEEN);
    },
    CHECK_MS_MAX,
  );

  test('has a bookmark of each recorded step, and both bookmarks of each move, among those points', async () => {
    const points = new Map((await pointsWithDisk()).map((point) => [point.id as string, point]));
    for (const [id, step] of bookmarked) expect(points.get(id)?.bookmark?.name).toBe(nameOf(step));
    for (const { bookmarks, from, to } of reports) {
      expect(points.get(bookmarks.left.point)).toMatchObject({ group: from.group, kind: 'left' });
      expect(points.get(bookmarks.joined.point)).toMatchObject({ group: to.group, kind: 'joined' });
    }
    expect(reports).toHaveLength(GROUPS);
  });

  /** Points in the order of the volume's history, whichever group closed them. */
  async function pointsWithDisk(): Promise<RecoveryPoint[]> {
    const positionIn = ({ members }: RecoveryPoint): number =>
      members.find(({ volume }) => volume === DISK)?.position ?? 0;
    const listed = await Promise.all(
      [GOLD, SILVER, BRONZE].map(async (group) => outside.estate.client.points.list({ group })),
    );
    const points = listed.flatMap((list) => list.points).filter((point) => positionIn(point) >= firstPosition);
    return points.toSorted((a, b) => positionIn(a) - positionIn(b));
  }

  /**
   * Images that were found good, by the hash of all their bytes: what is the same need not be
   * checked again.
   */
  const known = new Map<string, number>();

  /** The step that an image holds, after its content was found to be that step's to the byte. */
  async function stepOf(uri: string, name: string): Promise<number> {
    const folder = outside.scratch(`recovered-${name.replaceAll(' ', '-')}`);
    const image = `${folder}.img`;
    await succeed('nbdcopy', uri, image);
    const hash = createHash('sha256')
      .update(await readFile(image))
      .digest('hex');
    let step = known.get(hash);
    if (step === undefined) {
      const recovered = await recover(image, folder);
      ({ step } = recovered);
      expect(recovered.content, name).toEqual(fileSystem.contentAt(step));
      known.set(hash, step);
      await rm(folder, { recursive: true });
    }
    await rm(image);
    return step;
  }

  function nameOf(step: number): string {
    return `step ${step}`;
  }

  class GrowingWriter {
    readonly #journal: Jbd2Journal;
    readonly #close: () => Promise<void>;
    /** Where a bookmark is asked for. */
    group: GroupId = GOLD;
    bookmarks = 0;
    /** The newest step that is on the disk. */
    newest = fileSystem.newest;
    stopping = false;
    readonly #ready: ReadonlyMap<number, Buffer>[] = [];
    #hold: { readonly count: number; readonly reached: () => void } | undefined;

    private constructor(journal: Jbd2Journal, close: () => Promise<void>) {
      this.#journal = journal;
      this.#close = close;
    }

    static async start(): Promise<GrowingWriter> {
      const { address, name } = await outside.estate.source(DISK);
      const disk = await connectNbd(address, name);
      const journal = await Jbd2Journal.mount(disk, await fileSystem.journalBlocks());
      return new GrowingWriter(journal, async () => disk.disconnect());
    }

    /** Writes nothing until `goOn`. Resolves when so many steps are ready to be written. */
    async holdWith(count: number): Promise<void> {
      return new Promise((resolve) => {
        this.#hold = { count, reached: resolve };
      });
    }

    goOn(): void {
      this.#hold = undefined;
    }

    async run(): Promise<void> {
      while (!this.stopping || this.#ready.length > 0) {
        if (this.#hold !== undefined) {
          if (this.#ready.length < this.#hold.count) this.#ready.push(await fileSystem.step());
          else {
            this.#hold.reached();
            await nextTurn();
          }
          continue;
        }
        await this.#journal.commit(this.#ready.shift() ?? (await fileSystem.step()));
        this.newest += 1;
        if (this.newest % BOOKMARK_EVERY === 0) await this.#bookmark();
      }
      await this.#journal.unmount(fileSystem.block0);
      await this.#close();
    }

    /** None while the volume is between two groups: there the moves' own bookmarks are. */
    async #bookmark(): Promise<void> {
      const step = this.newest;
      const { calls } = outside.estate.appliance(APPLIANCES[this.group] ?? '');
      const point = await calls.closePoint({ group: this.group, bookmark: nameOf(step) });
      const member = point.members.find(({ volume }) => volume === DISK);
      if (member === undefined || member.provisional !== undefined) return;
      bookmarked.set(point.id, step);
      this.bookmarks += 1;
    }
  }
});
