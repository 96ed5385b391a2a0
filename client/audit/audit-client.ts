// The SDK's client for the audits of all processes: who called what, and how it ended.
import { auditOperation, AUDIT_PAGE_MAX, type AuditEntry } from '../../contracts/audit.js';
import { isSilence, parseOrRefuse } from '../../contracts/errors.js';
import { momentMs } from '../../contracts/moment.js';
import type { Calls } from '../../contracts/route.js';
import { anyAppliance, type Ports } from '../../control/ports.js';

export interface AuditQuery {
  /**
   * Only entries from this time on: milliseconds since 1970-01-01 UTC, or text such as
   * "2026-11-23T10:00:00Z" or "-2h".
   */
  readonly sinceMs?: number | string | undefined;
  /** Most entries, the newest ones. Default 1,000. */
  readonly limit?: number | undefined;
}

/** An entry, and the process that keeps it. */
export interface ListedAuditEntry extends AuditEntry {
  /** @example "appliance appliance-1" */
  readonly process: string;
}

export interface ListedAudit {
  /** Newest first, by the clocks of the processes. */
  readonly entries: ListedAuditEntry[];
  /** Processes that did not answer. Their entries are missing from the list. */
  readonly unreachable: string[];
}

export interface AuditClient {
  /**
   * Lists the audits of every splitter, every appliance and the replica site. A step that an
   * appliance passes on is in its audit and in the site's. Needs the role `admin` at each.
   * @throws FORBIDDEN, UNAUTHORIZED, INVALID_REQUEST; STORAGE_FAILED when a process can't read its
   * audit. One such process fails the whole list.
   */
  list(query?: AuditQuery): Promise<ListedAudit>;
}

export function createAuditClient(ports: Ports): AuditClient {
  return { list: async (query = {}) => listAudit(ports, query) };
}

type Ask = Calls<{ readonly audit: typeof auditOperation }>['audit'];
/** An audit of some process, by the name under which its silence is told. */
type Source = readonly [process: string, ask: Ask];

async function listAudit(ports: Ports, { sinceMs, limit = AUDIT_PAGE_MAX }: AuditQuery): Promise<ListedAudit> {
  const since = sinceMs === undefined ? {} : { sinceMs: momentMs(sinceMs, 'sinceMs', Date.now()) };
  const query = parseOrRefuse(auditOperation.input, { ...since, limit }, 'audit');
  const sources: readonly Source[] = [
    ...[...ports.splitters.values()].map(({ id, calls }): Source => [`splitter ${id}`, calls.audit]),
    ...[...ports.appliances.values()].map(({ id, calls }): Source => [`appliance ${id}`, calls.audit]),
    ['replica site', async (input) => anyAppliance(ports, ({ calls }) => calls.siteAudit(input))],
  ];
  const answers = await Promise.all(sources.map(async ([process, ask]) => entriesOf(process, ask, query)));
  return {
    entries: answers
      .flatMap((answer) => (typeof answer === 'string' ? [] : answer))
      .sort((one, other) => other.atMs - one.atMs || other.seq - one.seq)
      .slice(0, limit),
    unreachable: answers.filter((answer) => typeof answer === 'string'),
  };
}

/** The entries of a process; its name when it does not answer. */
async function entriesOf(
  name: string,
  ask: Ask,
  query: Parameters<Ask>[0],
): Promise<readonly ListedAuditEntry[] | string> {
  try {
    const { process, entries } = await ask(query);
    return entries.map((entry) => ({ process, ...entry }));
  } catch (error) {
    if (isSilence(error)) return name;
    throw error;
  }
}
