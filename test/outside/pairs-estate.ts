// Two hosts and two groups on two appliances: the volumes of a dependent pair, one on each host,
// and a neighbour that stays in each group.
import { type EstateInput, estateSchema, type EstateVolume } from '../../contracts/estate.js';
import {
  type ApplianceId,
  applianceIdSchema,
  type GroupId,
  groupIdSchema,
  splitterIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../contracts/ids.js';
import { withPorts } from '../../estate/ports.js';
import { ControlDetour } from '../support/control-detour.js';
import { createNamespace } from '../support/namespace.js';
import { TestEstate } from '../support/test-estate.js';
import { DISK_BYTES, type Side } from './pair-log.js';
import { SlowCalls } from './slow-calls.js';

export const GOLD = groupIdSchema.parse('cg-gold');
export const SILVER = groupIdSchema.parse('cg-silver');
export const GROUPS = [GOLD, SILVER] as const;

export function applianceOf(group: GroupId): ApplianceId {
  return applianceIdSchema.parse(group === GOLD ? 'appliance-1' : 'appliance-2');
}

export const VOLUME_OF: Readonly<Record<Side, VolumeId>> = {
  cause: volumeIdSchema.parse('cause'),
  effect: volumeIdSchema.parse('effect'),
};
export const HOST_OF: Readonly<Record<Side, string>> = { cause: 'host-1', effect: 'host-2' };

/** The shortest there is: the more points, the more chances to be torn. */
const POINT_EVERY_MS = 100;
const SIZE_MIB = DISK_BYTES / (1024 * 1024);

export class PairsEstate {
  readonly estate: TestEstate;
  /** Calls to the host of the effects: cuts of ordinary points, and fences of moves. */
  readonly cuts = new SlowCalls('/v1/cuts');
  readonly fences = new SlowCalls('/v1/attempts/fence');
  readonly #detour: ControlDetour;

  private constructor(estate: TestEstate, detour: ControlDetour) {
    this.estate = estate;
    this.#detour = detour;
    detour.hold(this.cuts);
    detour.hold(this.fences);
  }

  /** @param address of the Temporal server */
  static async start(address: string): Promise<PairsEstate> {
    const namespace = await createNamespace(address);
    const planned = await withPorts(estateSchema.parse(estateInput()));
    const host = planned.splitters.find(({ id }) => id === HOST_OF.effect);
    if (host === undefined) throw new Error(`The estate has no ${HOST_OF.effect}.`);
    const detour = new ControlDetour(host.control);
    await detour.start();
    host.control.url = detour.url;
    try {
      return new PairsEstate(await TestEstate.start({ estate: planned, temporal: { address, namespace } }), detour);
    } catch (error) {
      await detour.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#detour.stop();
    await this.estate.stop();
  }
}

function estateInput(): EstateInput {
  const free = { host: '127.0.0.1', port: 0 };
  const volume = (id: string, group: GroupId): EstateVolume => ({
    id: volumeIdSchema.parse(id),
    sizeMiB: SIZE_MIB,
    group,
  });
  return {
    replicaSite: { control: free },
    appliances: GROUPS.map((group) => ({
      id: applianceOf(group),
      control: free,
      nbd: free,
    })),
    splitters: [
      {
        id: splitterIdSchema.parse(HOST_OF.cause),
        control: free,
        nbd: free,
        volumes: [volume(VOLUME_OF.cause, GOLD), volume('gold-neighbour', GOLD)],
      },
      {
        id: splitterIdSchema.parse(HOST_OF.effect),
        control: free,
        nbd: free,
        volumes: [volume(VOLUME_OF.effect, GOLD), volume('silver-neighbour', SILVER)],
      },
    ],
    groups: GROUPS.map((id) => ({
      id,
      appliance: applianceOf(id),
      pointEveryMs: POINT_EVERY_MS,
    })),
    worker: { health: free },
  };
}
