// The open images of a volume. Each gets new UNDO before the replica is overwritten, and keeps the
// UNDO that it needs from deletion.
import { OpenImage } from './image.js';
import type { ImageSource } from './image.js';
import type { UndoIndex } from '../undo/undo-index.js';

export class OpenImages {
  readonly #source: ImageSource;
  readonly #images = new Set<OpenImage>();

  constructor(source: ImageSource) {
    this.#source = source;
  }

  get count(): number {
    return this.#images.size;
  }

  /**
   * Opens an image. `position` must be applied.
   * @throws JournalError CORRUPT, CLOSED
   */
  async open(position: number): Promise<OpenImage> {
    const image = new OpenImage(position, this.#source, (closed) => this.#forget(closed));
    this.#images.add(image);
    try {
      await image.load();
    } catch (error) {
      image.close();
      throw error;
    }
    return image;
  }

  /** Keeps the UNDO after a position from deletion while `work` reads it. */
  async keeping<Result>(position: number, work: () => Promise<Result>): Promise<Result> {
    const reader = new OpenImage(position, this.#source, (closed) => this.#forget(closed));
    this.#images.add(reader);
    try {
      return await work();
    } finally {
      reader.close();
    }
  }

  publish(index: UndoIndex): void {
    for (const image of this.#images) image.publish(index);
  }

  /** Deletes trimmed or rewritten UNDO that no open image needs. */
  deleteUnneeded(): void {
    this.#source.undo.deleteRetired(this.#images);
  }

  closeAll(): void {
    for (const image of this.#images) image.close();
  }

  #forget(image: OpenImage): void {
    this.#images.delete(image);
    if (this.#images.size === 0) this.#source.undo.forgetIndexes();
    this.deleteUnneeded();
  }
}
