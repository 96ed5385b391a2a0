// Checks whether a source is still the file of an earlier life. One that is gone is refused; one
// that was changed from outside is compared.
import { statSync } from 'node:fs';
import { z } from 'zod';
import type { VolumeId } from '../../../contracts/ids.js';
import type { RowStore } from '../../store/row-store.js';

export const SOURCES_TABLE = 'sources';

const fileSchema = z.strictObject({
  inode: z.number(),
  /** When the file was made; absent where the file system does not tell. */
  bornMs: z.number().exactOptional(),
  /**
   * When the file was last changed, noted by an orderly stop: nobody may have changed it since.
   * Absent while the splitter runs, and after a crash.
   */
  restedMs: z.number().exactOptional(),
});
type KnownFile = z.infer<typeof fileSchema>;

/**
 * What became of a source since the last life. `same`: the file that was there. `changed`: that
 * file, perhaps with other content. `replaced`: another file. `new`: no file was known or expected.
 * The reason is a clause for people.
 */
export type SourceFinding =
  | { readonly kind: 'same' }
  | { readonly kind: 'new' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'changed' | 'replaced'; readonly reason: string };

/** Whether the file is the one that an earlier life left, whatever was written to it since. */
export function isSameFile({ kind }: SourceFinding): boolean {
  return kind === 'same' || kind === 'changed';
}

export class SourceChecks {
  readonly #store: RowStore;
  readonly #known = new Map<string, KnownFile>();

  /** Reads the noted files. An unreadable row counts as none: nothing is known of that file. */
  constructor(store: RowStore) {
    this.#store = store;
    for (const [volume, row] of store.rows(SOURCES_TABLE)) {
      const file = fileSchema.safeParse(row);
      if (file.success) this.#known.set(volume, file.data);
    }
  }

  /**
   * Compares the file with what was noted of it.
   * @param wasWritten whether a mark or a confirmed write shows that the volume had a file
   */
  find(volume: VolumeId, path: string, wasWritten: boolean): SourceFinding {
    const now = presentFile(path);
    const before = this.#known.get(volume);
    if (now === undefined) return before !== undefined || wasWritten ? { kind: 'missing' } : { kind: 'new' };
    if (before === undefined) return { kind: 'new' };
    const hasOtherBirth = before.bornMs !== undefined && now.bornMs !== undefined && before.bornMs !== now.bornMs;
    if (before.inode !== now.inode || hasOtherBirth)
      return { kind: 'replaced', reason: 'the file of its source was replaced' };
    if (before.restedMs !== undefined && before.restedMs !== now.restedMs)
      return { kind: 'changed', reason: 'its source was changed while the splitter was stopped' };
    return { kind: 'same' };
  }

  /**
   * Notes the files as they are now.
   * @param atRest nobody writes them any more.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  note(sources: Iterable<readonly [VolumeId, path: string]>, atRest: boolean): void {
    const changes = [...sources].flatMap(([volume, path]) => {
      const now = presentFile(path);
      if (now === undefined) return [];
      const { restedMs: _rested, ...running } = now;
      return [{ table: SOURCES_TABLE, key: volume, value: atRest ? now : running }];
    });
    this.#store.commit(changes);
    for (const { key, value } of changes) this.#known.set(key, value);
  }

  /** Call it once the volume's row is deleted from the store. */
  forgotten(volume: VolumeId): void {
    this.#known.delete(volume);
  }

  /** Forgets the volume's file: a person put another one there. */
  forget(volume: VolumeId): void {
    this.#store.commit([{ table: SOURCES_TABLE, key: volume }]);
    this.#known.delete(volume);
  }
}

/** The file as it is now; undefined when there is none, or only an empty one. */
function presentFile(path: string): KnownFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.size === 0) return undefined;
  // A file system without times of birth gives the time of the last change for it.
  const hasBirthTime = found.birthtimeMs > 0 && found.birthtimeMs < found.ctimeMs;
  return { inode: found.ino, ...(hasBirthTime ? { bornMs: found.birthtimeMs } : {}), restedMs: found.ctimeMs };
}
