// The volumes of a splitter by what calls ask for: a call's cost is that of its own volumes, however many others the host has.
import type { GroupId } from '../../../contracts/ids.js';
import type { VolumeSplit, VolumeSplitRow } from './volume-split.js';

export class SplitIndex {
  readonly #byGroup = new Map<GroupId, Set<VolumeSplit>>();
  readonly #fenced = new Set<VolumeSplit>();
  readonly #changed = new Set<VolumeSplit>();

  constructor(splits: Iterable<VolumeSplit>) {
    for (const split of splits) {
      this.#place(split);
      split.onRow = (before) => this.#changes(split, before);
    }
  }

  membersOf(group: GroupId): VolumeSplit[] {
    return [...(this.#byGroup.get(group) ?? [])];
  }

  /** Those that have a fence, of whatever attempt. */
  fenced(): VolumeSplit[] {
    return [...this.#fenced];
  }

  /** The rows that changed since the last call. */
  takeRows(): VolumeSplitRow[] {
    const rows = [...this.#changed].map((split) => split.row);
    this.#changed.clear();
    return rows;
  }

  #changes(split: VolumeSplit, before: VolumeSplitRow): void {
    this.#changed.add(split);
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
