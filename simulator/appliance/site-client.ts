// Calls the replica site's control API over the link, which may be cut.
import type { Credentials } from '../../control/credentials.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import type { SiteGroup, SiteVolume } from '../../contracts/replica-site-api.js';
import type { Calls, InputOf, OutputOf } from '../../contracts/route.js';
import { createApiClient } from '../../control/client.js';
import { ownRefusal } from '../control-server/own-refusal.js';
import type { Link } from './link.js';

type SiteApi = typeof replicaSiteApi;
type WithoutPage<Name extends 'groups' | 'volumes'> = Omit<InputOf<SiteApi[Name]>, 'cursor' | 'limit'>;

/** Longest call, ms: the site's longest wait for a point's cuts (30 s) plus time to answer. */
const CALL_MS_MAX = 35_000;

export interface SiteClientOptions {
  readonly url: string;
  readonly credentials: Credentials | undefined;
  readonly link: Link;
}

export class SiteClient {
  readonly #calls: Calls<SiteApi>;
  readonly #link: Link;

  constructor({ url, credentials, link }: SiteClientOptions) {
    this.#calls = createApiClient(replicaSiteApi, { baseUrl: url, credentials, timeoutMs: CALL_MS_MAX });
    this.#link = link;
  }

  /**
   * Calls the site.
   * @throws MoverError the site's, UNREACHABLE (also when the site does not let this appliance in),
   * LINK_DOWN; the signal's reason
   */
  async call<Name extends keyof SiteApi>(
    name: Name,
    input: InputOf<SiteApi[Name]>,
    signal?: AbortSignal,
  ): Promise<OutputOf<SiteApi[Name]>> {
    const call = this.#calls[name];
    try {
      return await this.#link.call(async (linked) => call(input, { signal: linked }), signal);
    } catch (error) {
      throw ownRefusal(error, 'An appliance needs the role admin at the replica site.') ?? error;
    }
  }

  /** Every volume of a listing, all pages. */
  async volumes(input: WithoutPage<'volumes'>, signal?: AbortSignal): Promise<SiteVolume[]> {
    return everyPage(async (page) => {
      const { volumes: items, next } = await this.call('volumes', { ...input, ...page }, signal);
      return { items, next };
    });
  }

  /** Every group of a listing, all pages. */
  async groups(input: WithoutPage<'groups'>, signal?: AbortSignal): Promise<SiteGroup[]> {
    return everyPage(async (page) => {
      const { groups: items, next } = await this.call('groups', { ...input, ...page }, signal);
      return { items, next };
    });
  }
}

async function everyPage<Item>(
  pageAt: (page: {
    readonly cursor?: string;
  }) => Promise<{ readonly items: readonly Item[]; readonly next: string | undefined }>,
): Promise<Item[]> {
  const all: Item[] = [];
  let cursor: string | undefined;
  do {
    const { items, next } = await pageAt(cursor === undefined ? {} : { cursor });
    all.push(...items);
    cursor = next;
  } while (cursor !== undefined);
  return all;
}
