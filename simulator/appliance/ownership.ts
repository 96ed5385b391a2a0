// Whether this appliance may take an attempt's steps: the old group's appliance takes the first
// ones, the new group's the last.
import { attemptName, type AttemptRecord, type AttemptRef } from '../../contracts/attempt.js';
import type { GroupId } from '../../contracts/ids.js';
import type { ServedGroups } from './served-groups.js';
import type { SiteClient } from './site-client.js';

/** Most attempts whose groups are remembered: they are fixed, and each step of a move asks. */
const ATTEMPTS_KEPT_MAX = 1_000;

type Groups = { readonly from: GroupId; readonly to: GroupId };

export class Ownership {
  readonly #site: SiteClient;
  readonly #served: ServedGroups;
  readonly #groups = new Map<string, Groups>();

  constructor(site: SiteClient, served: ServedGroups) {
    this.#site = site;
    this.#served = served;
  }

  /**
   * The group on the given side of the attempt, if it is served here; undefined for a tombstone,
   * which has no groups.
   * @throws MoverError NOT_OWNER, ATTEMPT_NOT_FOUND, UNREACHABLE, LINK_DOWN
   */
  async require(side: keyof Groups, attempt: AttemptRef, signal: AbortSignal): Promise<GroupId | undefined> {
    const groups = this.#groups.get(attemptName(attempt)) ?? (await this.#ask(attempt, signal));
    if (groups !== undefined) await this.#served.require(groups[side], signal);
    return groups?.[side];
  }

  /** Remembers the groups of a record that the site returned. @returns the record */
  seen(record: AttemptRecord): AttemptRecord {
    if (record.contents === undefined) return record;
    const { from, to } = record.contents;
    this.#groups.set(attemptName(record.attempt), { from, to });
    if (this.#groups.size > ATTEMPTS_KEPT_MAX) {
      for (const oldest of this.#groups.keys()) {
        this.#groups.delete(oldest);
        break;
      }
    }
    return record;
  }

  async #ask({ move, n }: AttemptRef, signal: AbortSignal): Promise<Groups | undefined> {
    return this.seen(await this.#site.call('get', { move, n }, signal)).contents;
  }
}
