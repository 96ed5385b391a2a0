// Sends the volumes' writes: their sessions, their streams, and how they meet their replicas again.
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import type { Estate } from '../../../contracts/estate.js';
import type { SplitterId } from '../../../contracts/ids.js';
import type { SplitterCore } from '../core/splitter-core.js';
import { NO_SESSION } from '../core/volume-split.js';
import type { Confirmations } from '../marks/confirmations.js';
import { nowMs } from '../shared/clock.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';
import { Reunion } from './reunion.js';
import type { Sessions } from './sessions.js';
import { Streams } from './streams.js';

export interface SendingOptions {
  readonly splitter: SplitterId;
  readonly core: SplitterCore;
  readonly sessions: Sessions;
  readonly confirmations: Confirmations;
  readonly estate: Estate;
  readonly credentials: Credentials | undefined;
  /** The replica site took the volume's disk. */
  readonly onSourceKnown: (volume: ProtectedVolume) => void;
  /** There is something to compare or to send again. */
  readonly onDoubt: (volume: ProtectedVolume) => void;
  /** The volume was attached or resumed, or something of it was confirmed. */
  readonly onProgress: (volume: ProtectedVolume) => void;
  readonly log: Logger;
}

export class Sending {
  readonly #options: SendingOptions;
  readonly #reunion: Reunion;
  /** Undefined before `connect`: the appliances need the splitter's control URL. */
  #streams: Streams | undefined;

  constructor(options: SendingOptions) {
    this.#options = options;
    this.#reunion = new Reunion(options);
  }

  /**
   * Opens the streams that the volumes need.
   * @param controlUrl where the appliances reach this splitter.
   */
  connect(volumes: Iterable<ProtectedVolume>, controlUrl: string): void {
    const { splitter, sessions, credentials, onProgress, log } = this.#options;
    this.#streams = new Streams({
      splitter,
      life: sessions.life,
      reunion: this.#reunion,
      controlUrl,
      credentials,
      log,
      onProgress,
      onUnsendable: (volume, error) => this.#loseQueue(volume, error),
    });
    for (const volume of volumes) this.#streams.follow(volume);
  }

  /** Gives volumes without a session one, as soon as its number can be stored. */
  startSessions(volumes: Iterable<ProtectedVolume>): void {
    for (const volume of volumes) if (volume.split.session === NO_SESSION) this.#startSession(volume);
  }

  /** Brings the streams in line with the volume's row, and sends what it has to send. */
  follow(volume: ProtectedVolume): void {
    this.#streams?.follow(volume);
    this.#streams?.wake(volume);
  }

  /** Sends nothing more of the volume. */
  forget(volume: ProtectedVolume): void {
    this.#streams?.forget(volume);
  }

  /** The volume has something to send. */
  wake(volume: ProtectedVolume): void {
    this.#streams?.wake(volume);
  }

  /** Attaches the volume anew: its claim has changed. */
  reattach(volume: ProtectedVolume): void {
    this.#streams?.reattach(volume);
  }

  /** What is wrong with the streams, in sentences. */
  get notes(): string[] {
    return this.#streams?.notes ?? [];
  }

  close(): void {
    this.#streams?.close();
  }

  #startSession(volume: ProtectedVolume): void {
    const { sessions, onDoubt } = this.#options;
    sessions.want(volume.id, (number) => {
      volume.split.startSession(number);
      this.#streams?.follow(volume);
      onDoubt(volume);
    });
  }

  #loseQueue(volume: ProtectedVolume, error: unknown): void {
    this.#options.log.error(
      { err: error, volume: volume.id },
      'the backlog can’t be read back; its regions are marked and sent again',
    );
    volume.split.loseQueue('backlog lost', nowMs());
    this.#streams?.follow(volume);
    this.#startSession(volume);
  }
}
