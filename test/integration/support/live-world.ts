// The simulation's estate in real time, so that real workers can move its volumes while its guest
// writes.
import { setTimeout as delay } from 'node:timers/promises';
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import { checkAttempts, checkQuiet, isQuiet } from '../../simulation/checker.js';
import { NO_FAULTS, World, type WorldShape } from '../../simulation/world.js';
import { PortFaults } from './port-faults.js';
import { PATIENCE_MS } from '../../support/until.js';

/** Time between steps of the clock, ms: below the simulation's own delays. */
const TICK_MS = 2;

export class LiveWorld {
  readonly world: World;
  readonly faults = new PortFaults();
  readonly seed: number;
  #running: Promise<void> | undefined;

  constructor(shape: WorldShape) {
    this.seed = Math.floor(Math.random() * 1_000_000);
    this.world = new World(this.seed, NO_FAULTS, { ...shape, guestIsPatient: true });
  }

  start(): void {
    this.world.start();
    this.#running = this.#tick();
  }

  async #tick(): Promise<void> {
    let lastMs = performance.now();
    while (!this.world.stopped) {
      await delay(TICK_MS);
      const nowMs = performance.now();
      await this.world.time.runUntil(() => false, nowMs - lastMs);
      lastMs = nowMs;
    }
  }

  groupOf(volume: string): GroupId {
    return this.world.site.state.volume(volume as VolumeId).group;
  }

  epochOf(volume: string): number {
    return this.world.site.state.volume(volume as VolumeId).epoch;
  }

  /**
   * Stops the guest, waits until all it wrote is at the replica site, and checks the promises of
   * the simulation.
   */
  async checkPromises(): Promise<void> {
    this.world.guestRuns = false;
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (!isQuiet(this.world)) {
      if (performance.now() > deadlineMs) throw new Error(`The estate (seed ${this.seed}) did not become quiet.`);
      await delay(TICK_MS);
    }
    checkAttempts(this.world);
    checkQuiet(this.world);
  }

  async stop(): Promise<void> {
    this.world.stopped = true;
    await this.#running;
  }
}
