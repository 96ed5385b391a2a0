// The splitter's volumes by group and by fence: a call's cost depends on its own volumes only.
import type { GroupId } from '../../../contracts/ids.js';
import type { VolumeSplit, VolumeSplitRow } from './volume-split.js';

export class SplitIndex {
  readonly #byGroup = new Map<GroupId, Set<VolumeSplit>>();
  readonly #fenced = new Set<VolumeSplit>();
  /** Volumes with a changed row that is not stored yet, each with its former row. */
  readonly #before = new Map<VolumeSplit, VolumeSplitRow>();

  constructor(splits: Iterable<VolumeSplit>) {
    for (const split of splits) this.add(split);
  }

  add(split: VolumeSplit): void {
    this.#place(split);
    split.onRow = (before) => this.#changes(split, before);
  }

  /** Takes a volume out, for good. */
  remove(split: VolumeSplit): void {
    this.#byGroup.get(split.row.route.group)?.delete(split);
    this.#fenced.delete(split);
    split.onRow = () => undefined;
  }

  membersOf(group: GroupId): VolumeSplit[] {
    return [...(this.#byGroup.get(group) ?? [])];
  }

  /** Volumes with a fence, of any attempt. */
  fenced(): VolumeSplit[] {
    return [...this.#fenced];
  }

  /** The rows that changed since the last `settle` or `undo`: to be stored in one transaction. */
  changedRows(): VolumeSplitRow[] {
    return [...this.#before.keys()].map((split) => split.row);
  }

  /** Applies the stored changes to each volume. */
  settle(): void {
    for (const [split, before] of this.#before) split.settled(before);
    this.#before.clear();
  }

  /** Restores every row: the changes could not be stored. */
  undo(): void {
    for (const [split, before] of this.#before) split.restore(before);
    this.#before.clear();
  }

  #changes(split: VolumeSplit, before: VolumeSplitRow): void {
    if (!this.#before.has(split)) this.#before.set(split, before);
    if (before.route.group !== split.row.route.group) this.#byGroup.get(before.route.group)?.delete(split);
    this.#place(split);
  }

  #place(split: VolumeSplit): void {
    const { route, fence } = split.row;
    const members = this.#byGroup.get(route.group) ?? new Set();
    this.#byGroup.set(route.group, members.add(split));
    if (fence === undefined) this.#fenced.delete(split);
    else this.#fenced.add(split);
  }
}
