// The intakes of all volumes that streams have attached, and how the journals' events find them.
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { failureOfJournal } from '../journal-failure.js';
import type { Journals } from '../journals.js';
import type { Durable } from '../journal/types.js';
import type { Site } from '../site.js';
import { VolumeIntake } from './volume-intake.js';

export interface IntakesOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly unappliedBytesMax: number;
}

export class Intakes {
  readonly #options: IntakesOptions;
  readonly #intakes = new Map<VolumeId, VolumeIntake>();

  constructor(options: IntakesOptions) {
    this.#options = options;
  }

  /** @throws MoverError VOLUME_NOT_FOUND, CORRUPT, INTERNAL */
  async intake(volume: VolumeId): Promise<VolumeIntake> {
    const { site, journals, unappliedBytesMax } = this.#options;
    site.state.volume(volume);
    const journal = await journals.journal(volume);
    const known = this.#intakes.get(volume);
    if (known !== undefined) return known;
    const intake = new VolumeIntake({ volume, site, journal, unappliedBytesMax });
    this.#intakes.set(volume, intake);
    return intake;
  }

  /** What is wrong, in sentences. */
  get notes(): string[] {
    return [...this.#intakes.values()].flatMap((intake) => intake.note ?? []);
  }

  /** Whether nothing more of the volume has been taken in for a while, because too much of it is not applied. */
  isStalled(volume: VolumeId): boolean {
    return this.#intakes.get(volume)?.isStalled === true;
  }

  durable(volume: VolumeId, durable: Durable): void {
    this.#intakes.get(volume)?.durable(durable);
  }

  applied(volume: VolumeId): void {
    this.#intakes.get(volume)?.applied();
  }

  failed(volume: VolumeId, cause: unknown): void {
    const intake = this.#intakes.get(volume);
    this.#intakes.delete(volume);
    const failure = failureOfJournal(volume, cause);
    intake?.failed(
      failure instanceof MoverError
        ? failure
        : new MoverError('INTERNAL', `The journal of volume "${volume}" failed.`, { cause }),
    );
  }
}
