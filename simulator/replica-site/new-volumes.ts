// Names volumes that the estate file has gained while the replica site runs. The site follows its
// file at the start only, so nobody protects them before a person has the file applied.
import type { Estate } from '../../contracts/estate.js';
import { estateOf } from '../../control/estate-file.js';
import { WatchedFile } from '../../control/watched-file.js';
import type { SiteState } from './core/state.js';

/** Volumes that health names. More are counted. */
const NOTES_MAX = 20;

export interface NewVolumesOptions {
  /** Path of the estate file. */
  readonly path: string;
  readonly state: Pick<SiteState, 'volumes'>;
  /** How often the file is checked, ms. Default: that of every watched file. */
  readonly checkIntervalMs?: number | undefined;
}

export class NewVolumes {
  readonly #state: Pick<SiteState, 'volumes'>;
  readonly #file: WatchedFile<Estate>;
  /** The file as it was at the start, which is followed. */
  readonly #first: Estate;

  /** Reads the file. @throws MoverError INVALID_REQUEST saying what is wrong with it */
  constructor({ path, state, checkIntervalMs }: NewVolumesOptions) {
    this.#state = state;
    this.#file = new WatchedFile({
      path,
      setting: 'VOLUME_MOVER_ESTATE',
      parse: (bytes) => estateOf(path, bytes.toString('utf8')),
      checkIntervalMs,
    });
    this.#first = this.#file.content;
  }

  /** A sentence for each of them, and one while the file can't be used. */
  get notes(): string[] {
    const { content, fault } = this.#file;
    const named = content === this.#first ? [] : [...this.#unprotected(content)];
    const more = named.length - NOTES_MAX;
    return [
      ...(fault === undefined ? [] : [fault]),
      ...named.slice(0, NOTES_MAX),
      ...(more > 0 ? [`The estate file has ${more} more volumes that are not protected.`] : []),
    ];
  }

  *#unprotected({ splitters }: Estate): Generator<string> {
    const { volumes } = this.#state;
    for (const splitter of splitters)
      for (const { id, group } of splitter.volumes)
        if (volumes.get(id) === undefined && !volumes.unreadable.has(id))
          yield `Volume "${id}" of splitter "${splitter.id}" is new in the estate file, and not protected: the file was changed since the replica site was started. To protect it in group "${group}": volume-mover estate apply --yes`;
  }
}
