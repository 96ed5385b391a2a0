// The estate that outside clients are set on: a disk to play with, and a neighbour in each group
// that is written all the while.
import { join } from 'node:path';
import { expect } from 'vitest';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate, uriOf } from '../support/test-estate.js';
import { succeed } from '../support/tools.js';

export const MIB = 1024 * 1024;
export const SIZE_MIB = 32;
export const GOLD = groupIdSchema.parse('cg-gold');
export const SILVER = groupIdSchema.parse('cg-silver');
/** Only in an estate that is asked for with three groups. */
export const BRONZE = groupIdSchema.parse('cg-bronze');
/** The volume in `cg-gold` that the test of the file writes and moves. */
export const DISK = volumeIdSchema.parse('disk');
/** Members of the old and of the new group that stay where they are. */
export const GOLD_NEIGHBOUR = volumeIdSchema.parse('gold-neighbour');
export const SILVER_NEIGHBOUR = volumeIdSchema.parse('silver-neighbour');
const BRONZE_NEIGHBOUR = volumeIdSchema.parse('bronze-neighbour');
const WRITES_PER_SECOND = 50;

interface OutsideOptions {
  /** Two, or three, each on an appliance of its own; default 2. */
  readonly groups?: 2 | 3;
  /** Size of each volume; default `SIZE_MIB`. */
  readonly sizeMiB?: number;
  /** How often each group closes a point; default: as every test estate. */
  readonly pointEveryMs?: number;
  /** The RPO of each group; default: what its interval of points allows. */
  readonly rpoMsMax?: number;
}

export class OutsideEstate {
  readonly estate: TestEstate;
  readonly #neighbours: readonly Guest[];

  private constructor(estate: TestEstate, neighbours: readonly Guest[]) {
    this.estate = estate;
    this.#neighbours = neighbours;
  }

  /** @param address of the Temporal server */
  static async start(
    address: string,
    { groups = 2, sizeMiB = SIZE_MIB, pointEveryMs, rpoMsMax }: OutsideOptions = {},
  ): Promise<OutsideEstate> {
    const namespace = await createNamespace(address);
    const placed = {
      [GOLD]: { appliance: 'appliance-1', volumes: [DISK, GOLD_NEIGHBOUR] },
      [SILVER]: { appliance: 'appliance-2', volumes: [SILVER_NEIGHBOUR] },
      ...(groups === 2 ? {} : { [BRONZE]: { appliance: 'appliance-3', volumes: [BRONZE_NEIGHBOUR] } }),
    };
    const planned = estateOf({ groups: placed, sizeMiB });
    for (const group of planned.groups) {
      group.pointEveryMs = pointEveryMs ?? group.pointEveryMs;
      group.rpoMsMax = rpoMsMax;
    }
    const estate = await TestEstate.start({ estate: planned, temporal: { address, namespace } });
    const neighbours: Guest[] = [];
    const neighbourIds = [GOLD_NEIGHBOUR, SILVER_NEIGHBOUR, BRONZE_NEIGHBOUR].slice(0, groups);
    for (const [i, volume] of neighbourIds.entries()) {
      const { address: at } = await estate.source(volume);
      neighbours.push(await startGuest({ address: at, volume, seed: i + 1, writesPerSecond: WRITES_PER_SECOND }));
    }
    return new OutsideEstate(estate, neighbours);
  }

  async stop(): Promise<void> {
    for (const guest of this.#neighbours) await guest.stop();
    await this.estate.stop();
  }

  /** A path in the estate's folder, removed with it. */
  scratch(name: string): string {
    return join(this.estate.folder, name);
  }

  async sourceUri(volume: string): Promise<string> {
    return uriOf(await this.estate.source(volume));
  }

  async imageUri(volume: string, point?: string): Promise<string> {
    return uriOf(await this.estate.image(volume, point));
  }

  /** Source and replica, compared by qemu. */
  async expectReplicaEqual(volume: string): Promise<void> {
    await this.estate.quiet(volume);
    const [source, replica] = [await this.sourceUri(volume), await this.imageUri(volume)];
    expect(await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', source, replica)).toMatch(
      /Images are identical/,
    );
  }
}
