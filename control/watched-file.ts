// A small file whose newest content is used: certificates, tokens, lists of callers and the estate
// file are replaced while processes run.
import { readFileSync, statSync } from 'node:fs';
import { MoverError } from '../contracts/errors.js';

/** How often the file is checked for changes while it is used, ms. A check costs microseconds. */
const CHECK_INTERVAL_MS_DEFAULT = 1_000;

export interface WatchedFileOptions<Content> {
  readonly path: string;
  /** The setting that names the file, for refusals. @example "VOLUME_MOVER_TOKEN_FILE" */
  readonly setting: string;
  /** @throws MoverError INVALID_REQUEST, Error saying what is wrong with the content */
  readonly parse: (bytes: Buffer) => Content;
  readonly checkIntervalMs?: number | undefined;
}

export class WatchedFile<Content> {
  readonly #options: WatchedFileOptions<Content>;
  #stamp: string;
  #content: Content;
  #checkedAtMs = performance.now();
  #fault: string | undefined;

  /** Reads the file. @throws MoverError INVALID_REQUEST naming the setting and what is wrong */
  constructor(options: WatchedFileOptions<Content>) {
    this.#options = options;
    try {
      this.#stamp = this.#readStamp();
      this.#content = this.#read();
    } catch (cause) {
      const { setting } = options;
      const message = this.#faultOf(cause);
      const reasons = [{ code: 'INVALID_REQUEST', subject: setting, message }] as const;
      throw new MoverError('INVALID_REQUEST', `${setting}: ${message}`, { reasons, cause });
    }
  }

  /**
   * The content. Read again when the file has changed; a file that can't be used leaves the content
   * as it was. As long as the file doesn't change it is the same value.
   */
  get content(): Content {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs < (this.#options.checkIntervalMs ?? CHECK_INTERVAL_MS_DEFAULT)) return this.#content;
    this.#checkedAtMs = nowMs;
    try {
      const stamp = this.#readStamp();
      if (stamp !== this.#stamp) {
        this.#content = this.#read();
        this.#stamp = stamp;
      }
      this.#fault = undefined;
    } catch (error) {
      this.#fault = `${this.#options.setting}: ${this.#faultOf(error)} Its previous content stays in use.`;
    }
    return this.#content;
  }

  /** A sentence while the file can't be used; undefined when it can. */
  get fault(): string | undefined {
    void this.content;
    return this.#fault;
  }

  #read(): Content {
    return this.#options.parse(readFileSync(this.#options.path));
  }

  /** Changes whenever the file does. Symbolic links are followed: some secrets are replaced so. */
  #readStamp(): string {
    const { ino, size, mtimeNs, ctimeNs } = statSync(this.#options.path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  }

  #faultOf(error: unknown): string {
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    return `the file ${this.#options.path} cannot be used: ${why}.`;
  }
}
