// The intakes of all volumes that streams have attached, and how the journals' events find them.
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { failureOfJournal } from '../journal-failure.js';
import type { Journals } from '../journals.js';
import type { JournalError } from '../journal/terms/errors.js';
import type { Durable } from '../journal/terms/types.js';
import type { Site } from '../site.js';
import { StallGate } from './stall-gate.js';
import { VolumeIntake } from './volume-intake.js';

export interface IntakesOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly unappliedBytesMax: number;
  /** Bytes that are free for journals; undefined if that isn't known. */
  readonly freeBytes: () => number | undefined;
  /** A short initialization has come to its end, up to this position. */
  readonly onInitialized: (volume: VolumeId, position: number) => void;
}

export class Intakes {
  readonly #options: IntakesOptions;
  readonly #intakes = new Map<VolumeId, VolumeIntake>();
  /** Of volumes whose journal took nothing more since something of theirs was durable. */
  readonly #gates = new Map<VolumeId, StallGate>();

  constructor(options: IntakesOptions) {
    this.#options = options;
  }

  /** @throws MoverError VOLUME_NOT_FOUND, CORRUPT, STORAGE_FULL, STORAGE_FAILED, INTERNAL */
  async intake(volume: VolumeId): Promise<VolumeIntake> {
    const { site, journals, unappliedBytesMax, onInitialized } = this.#options;
    site.state.volume(volume);
    this.#gates.get(volume)?.pass();
    const journal = await journals.journal(volume);
    const known = this.#intakes.get(volume);
    if (known !== undefined) return known;
    const intake = new VolumeIntake({ volume, site, journal, unappliedBytesMax, onInitialized });
    this.#intakes.set(volume, intake);
    return intake;
  }

  /**
   * Of a volume whose journal was rebuilt: what closed its gate is gone with the former journal.
   * @throws MoverError as `intake`
   */
  async rebuilt(volume: VolumeId): Promise<VolumeIntake> {
    this.#gates.delete(volume);
    return this.intake(volume);
  }

  /** What is wrong, in sentences. */
  get notes(): string[] {
    return [...this.#intakes.values()].flatMap((intake) => intake.note ?? []);
  }

  /**
   * Whether nothing more of the volume has been taken in for a while, because too much of it is not
   * applied.
   */
  isStalled(volume: VolumeId): boolean {
    return this.#intakes.get(volume)?.isStalled === true;
  }

  durable(volume: VolumeId, durable: Durable): void {
    if (this.#gates.size > 0) this.#gates.delete(volume);
    this.#intakes.get(volume)?.durable(durable);
  }

  applied(volume: VolumeId): void {
    this.#intakes.get(volume)?.applied();
  }

  /** The journal could not take what was appended: it has to be sent again. */
  stalled(volume: VolumeId, cause: JournalError): void {
    this.#options.site.state.forgetAccepted(volume);
    this.#intakes.get(volume)?.stalled(this.#closedGate(volume, cause));
  }

  /** A person has the journal rebuilt: whoever is attached attaches anew when that is done. */
  rebuilding(volume: VolumeId, error: MoverError): void {
    const intake = this.#intakes.get(volume);
    this.#intakes.delete(volume);
    intake?.failed(error);
  }

  failed(volume: VolumeId, cause: unknown): void {
    const intake = this.#intakes.get(volume);
    this.#intakes.delete(volume);
    intake?.failed(this.#closedGate(volume, cause));
  }

  /** @returns what those who attach are told meanwhile. */
  #closedGate(volume: VolumeId, cause: unknown): MoverError {
    const failure = failureOfJournal(volume, cause);
    const error =
      failure instanceof MoverError
        ? failure
        : new MoverError('INTERNAL', `The journal of volume "${volume}" failed.`, { cause });
    const { freeBytes } = this.#options;
    const gate = this.#gates.get(volume) ?? new StallGate({ freeBytes, steadyMs: () => performance.now() });
    this.#gates.set(volume, gate);
    gate.close(error);
    return error;
  }
}
