// The estate that outside clients are set on: a disk to play with, and a neighbour in each group that is written all the while.
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
/** In `cg-gold`, for the test of the file to write and to move. */
export const DISK = volumeIdSchema.parse('disk');
/** Members of the old and of the new group that stay where they are. */
export const GOLD_NEIGHBOUR = volumeIdSchema.parse('gold-neighbour');
export const SILVER_NEIGHBOUR = volumeIdSchema.parse('silver-neighbour');
const WRITES_PER_SECOND = 50;

/** Longest time for something that takes a second, ms. */
export const PATIENCE_MS = 30_000;

export class OutsideEstate {
  readonly estate: TestEstate;
  readonly #neighbours: readonly Guest[];

  private constructor(estate: TestEstate, neighbours: readonly Guest[]) {
    this.estate = estate;
    this.#neighbours = neighbours;
  }

  /** @param address of the Temporal server */
  static async start(address: string): Promise<OutsideEstate> {
    const namespace = await createNamespace(address);
    const groups = {
      [GOLD]: { appliance: 'appliance-1', volumes: [DISK, GOLD_NEIGHBOUR] },
      [SILVER]: { appliance: 'appliance-2', volumes: [SILVER_NEIGHBOUR] },
    };
    const estate = await TestEstate.start({
      estate: estateOf({ groups, sizeMiB: SIZE_MIB }),
      temporal: { address, namespace },
    });
    const neighbours: Guest[] = [];
    for (const [i, volume] of [GOLD_NEIGHBOUR, SILVER_NEIGHBOUR].entries()) {
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
