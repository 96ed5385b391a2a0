// The estate that chaos is made on: a volume for each step of a move, a guest writing to each, and
// what must be true afterwards.
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { StartedMove } from '../../client/moves/move-client.js';
import { MoverError } from '../../contracts/errors.js';
import { groupIdSchema, volumeIdSchema, type GroupId, type VolumeId } from '../../contracts/ids.js';
import { MOVE_STEPS, type MoveInput, type MoveReport, type MoveStep } from '../../contracts/move.js';
import { compareExports, type Export, withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { type DiskCheck, verifyCut, verifyFinal } from '../../estate/guest/verify.js';
import type { Link } from '../../contracts/appliance-api.js';
import { withPorts } from '../../estate/ports.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { ControlDetour, Hold } from '../support/control-detour.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { untilTrue } from '../support/until.js';

/** The two groups between which volumes move, on different appliances. */
export const GOLD = groupIdSchema.parse('cg-gold');
export const SILVER = groupIdSchema.parse('cg-silver');
/** A group without room for one more. */
export const FULL = groupIdSchema.parse('cg-full');

export const HOST = 'host-1';
export const APPLIANCE_1 = 'appliance-1';
export const APPLIANCE_2 = 'appliance-2';

/** One for each step, so that five moves can stand at the five steps at once. */
export const VOLUME_AT: Readonly<Record<MoveStep, VolumeId>> = {
  notify: volumeIdSchema.parse('at-notify'),
  flush: volumeIdSchema.parse('at-flush'),
  snapshot: volumeIdSchema.parse('at-snapshot'),
  bookmark: volumeIdSchema.parse('at-bookmark'),
  reconfigure: volumeIdSchema.parse('at-reconfigure'),
};
/** The volume of what happens right after the commit. */
export const COMMITTED_VOLUME = volumeIdSchema.parse('at-commit');
const MOVING: readonly VolumeId[] = [...Object.values(VOLUME_AT), COMMITTED_VOLUME];

/** The call in which a move is held up to stand at a step: for flush after the fence was raised. */
export const CALL_OF: Readonly<Record<MoveStep, string>> = {
  notify: '/v1/attempts/notify',
  flush: '/v1/attempts/drain',
  snapshot: '/v1/attempts/seal',
  bookmark: '/v1/attempts/bookmark',
  reconfigure: '/v1/attempts/adopt',
};

const SIZE_MIB = 8;
/** Rate of each guest: six of them run on as few as 2 cores. */
const WRITES_PER_SECOND = 40;
const HEALED_MS_MAX = 60_000;

/** Where a volume stands, in the eyes of the replica site and of its splitter, which must agree. */
export interface Standing {
  readonly group: GroupId;
  readonly epoch: number;
}

export interface HeldMove extends StartedMove {
  readonly volume: VolumeId;
  readonly before: Standing;
  readonly to: GroupId;
  readonly hold: Hold;
}

export class Testbed {
  readonly estate: TestEstate;
  readonly detours: ReadonlyMap<string, ControlDetour>;
  readonly guests: ReadonlyMap<VolumeId, Guest>;

  private constructor(estate: TestEstate, detours: Testbed['detours'], guests: Testbed['guests']) {
    this.estate = estate;
    this.detours = detours;
    this.guests = guests;
  }

  /** @param address of the Temporal server */
  static async start(address: string, environment: Readonly<Record<string, string>> = {}): Promise<Testbed> {
    const namespace = await createNamespace(address);
    const planned = await withPorts(
      estateOf({
        groups: {
          [GOLD]: { appliance: APPLIANCE_1, volumes: [...MOVING, 'gold-neighbour'] },
          [SILVER]: { appliance: APPLIANCE_2, volumes: ['silver-neighbour'] },
          [FULL]: { appliance: APPLIANCE_2, volumes: ['full-neighbour'], volumesMax: 1 },
        },
        sizeMiB: SIZE_MIB,
      }),
    );
    const detours = new Map<string, ControlDetour>();
    for (const { id, control } of [...planned.splitters, ...planned.appliances]) {
      const detour = new ControlDetour(control);
      await detour.start();
      control.url = detour.url;
      detours.set(id, detour);
    }
    const estate = await TestEstate.start({ estate: planned, temporal: { address, namespace }, environment });
    const guests = new Map<VolumeId, Guest>();
    for (const [i, volume] of MOVING.entries()) {
      const { address: at } = await estate.source(volume);
      guests.set(volume, await startGuest({ address: at, volume, seed: i + 1, writesPerSecond: WRITES_PER_SECOND }));
    }
    return new Testbed(estate, detours, guests);
  }

  async stop(): Promise<void> {
    for (const guest of this.guests.values()) await guest.stop();
    for (const detour of this.detours.values()) await detour.stop();
    await this.estate.stop();
  }

  /** @throws AssertionError when the replica site and the splitter don't agree */
  async standing(volume: VolumeId): Promise<Standing> {
    const [found] = (await this.estate.client.volumes.list()).filter((candidate) => candidate.volume === volume);
    if (found?.splitterView === undefined) throw new Error(`Volume ${volume} is not listed by both.`);
    const { group, epoch, splitterView } = found;
    expect(
      { group: splitterView.route.group, epoch: splitterView.route.epoch },
      `the splitter's view of ${volume}`,
    ).toEqual({ group, epoch });
    return { group, epoch };
  }

  /** Starts a move that stops at a call until it is let go. */
  async startHeld(
    path: string,
    volume: VolumeId,
    options: MoveInput['options'] = {},
    workflowId = `${volume}-${randomUUID()}`,
  ): Promise<HeldMove> {
    const hold = new Hold(path, workflowId);
    for (const detour of this.detours.values()) detour.hold(hold);
    const before = await this.standing(volume);
    const to = before.group === GOLD ? SILVER : GOLD;
    // A terminated move holds its volume until its lease ends.
    const started = await this.estate.client.moves.start({ volume, to, queue: true, options }, { workflowId });
    return { ...started, volume, before, to, hold };
  }

  /** Starts a move to the other group that nothing holds up. */
  async startFree(volume: VolumeId): Promise<HeldMove> {
    const move = await this.startHeld(CALL_OF.notify, volume);
    move.hold.release();
    return move;
  }

  /** Five moves, each standing at another step. */
  async holdAtEachStep(options: MoveInput['options'] = {}): Promise<HeldMove[]> {
    const moves: HeldMove[] = [];
    for (const step of MOVE_STEPS) moves.push(await this.startHeld(CALL_OF[step], VOLUME_AT[step], options));
    for (const { hold } of moves) await hold.reached();
    return moves;
  }

  async holdAt(step: MoveStep, options: MoveInput['options'] = {}): Promise<HeldMove> {
    const move = await this.startHeld(CALL_OF[step], VOLUME_AT[step], options);
    await move.hold.reached();
    return move;
  }

  /** Waits until no fence is left, without anyone's doing. */
  async healed(volume: VolumeId): Promise<void> {
    await untilTrue(`a verdict on the fence of ${volume}`, HEALED_MS_MAX, async () => {
      const { volumes } = await this.estate.splitter().calls.inventory({ volume });
      return volumes[0]?.fence === undefined;
    });
  }

  async setLink(appliance: string, link: Link): Promise<void> {
    await this.estate.appliance(appliance).calls.setLink(link);
  }

  /** Waits for the end of a move, however it ends. */
  async ended(move: StartedMove): Promise<MoveReport | MoverError> {
    try {
      return await this.estate.reportOf(move);
    } catch (error) {
      if (error instanceof MoverError) return error;
      throw error;
    }
  }

  /** What a move failed with. @throws Error when it did not fail */
  async failureOf(move: StartedMove): Promise<MoverError> {
    const ended = await this.ended(move);
    if (ended instanceof MoverError) return ended;
    throw new Error(`Move ${move.moveId} did not fail.`);
  }

  /** Kinds of the bookmarks in force that a move left. */
  async bookmarksOf({ moveId, volume }: Pick<HeldMove, 'moveId' | 'volume'>): Promise<string[]> {
    const { points } = await this.estate.client.points.list({ volume });
    return points
      .filter(({ bookmark }) => bookmark?.attempt?.move === moveId && !bookmark.pending)
      .map(({ kind }) => kind);
  }

  /**
   * The volume is in its new group, with both bookmarks, each a state that its guest went through.
   */
  async expectMoved(move: HeldMove, report: MoveReport): Promise<void> {
    expect(report).toMatchObject({ move: move.moveId, outcome: 'moved' });
    expect(await this.standing(move.volume)).toEqual({ group: move.to, epoch: move.before.epoch + 1 });
    expect((await this.bookmarksOf(move)).toSorted()).toEqual(['joined', 'left']);
    for (const { point } of [report.bookmarks.left, report.bookmarks.joined]) {
      const image = await this.estate.image(move.volume, point);
      expect(await this.#verify(image, move.volume, verifyCut)).toMatchObject({ faults: 0, described: [] });
    }
  }

  /** The move left nothing behind. */
  async expectAsBefore(move: HeldMove): Promise<void> {
    expect(await this.standing(move.volume)).toEqual(move.before);
    expect(await this.bookmarksOf(move)).toEqual([]);
  }

  /**
   * Holds the guests back until nothing is on its way; then source, replica and the guests' memory
   * must be the same.
   */
  async expectNothingLost(): Promise<void> {
    for (const guest of this.guests.values()) await guest.pause();
    await this.estate.quiet(...this.guests.keys());
    for (const volume of this.guests.keys()) {
      const source = await this.estate.source(volume);
      expect(await compareExports(source, await this.estate.image(volume)), `replica of ${volume}`).toMatchObject({
        differentBytes: 0,
      });
      expect(await this.#verify(source, volume, verifyFinal), `source of ${volume}`).toMatchObject({
        faults: 0,
        described: [],
      });
    }
    for (const guest of this.guests.values()) guest.resume();
  }

  async #verify(from: Export, volume: VolumeId, check: typeof verifyFinal): Promise<DiskCheck> {
    const guest = this.guests.get(volume);
    if (guest === undefined) throw new Error(`Volume ${volume} has no guest.`);
    return await withExport(from, async (client) => check(readAhead(client), guest.seed, guest.log));
  }
}
