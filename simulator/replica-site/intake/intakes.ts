// The intakes of all volumes that streams have attached. Passes the journals' events to them.
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
  /** Free bytes on the journals' disk; undefined if unknown. */
  readonly freeBytes: () => number | undefined;
  /** Called when a short initialization has ended, with the position of its last record. */
  readonly onInitialized: (volume: VolumeId, position: number) => void;
}

export class Intakes {
  readonly #options: IntakesOptions;
  readonly #intakes = new Map<VolumeId, VolumeIntake>();
  /** Gates of volumes whose journal has refused records, until a record is durable again. */
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
   * The intake of a volume whose journal was rebuilt. Its gate opens: the fault is gone with the
   * former journal.
   * @throws MoverError as `intake`
   */
  async rebuilt(volume: VolumeId): Promise<VolumeIntake> {
    this.#gates.delete(volume);
    return this.intake(volume);
  }

  /** Sentences about stalled volumes. */
  get notes(): string[] {
    return [...this.#intakes.values()].flatMap((intake) => intake.note ?? []);
  }

  /**
   * Whether no record of the volume has been taken for a while, because too much of it is not
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

  /**
   * Tells the intake that the journal could not write appended records: they must be sent again.
   */
  stalled(volume: VolumeId, cause: JournalError): void {
    this.#options.site.state.forgetAccepted(volume);
    this.#intakes.get(volume)?.stalled(this.#closeGate(volume, cause));
  }

  /** Ends the intake because a person has the journal rebuilt: splitters attach anew afterwards. */
  rebuilding(volume: VolumeId, error: MoverError): void {
    const intake = this.#intakes.get(volume);
    this.#intakes.delete(volume);
    intake?.failed(error);
  }

  failed(volume: VolumeId, cause: unknown): void {
    const intake = this.#intakes.get(volume);
    this.#intakes.delete(volume);
    intake?.failed(this.#closeGate(volume, cause));
  }

  /**
   * Closes the volume's gate.
   * @returns the error for attachments until it opens.
   */
  #closeGate(volume: VolumeId, cause: unknown): MoverError {
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
