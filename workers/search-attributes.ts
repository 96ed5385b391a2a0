// Registers the search attributes in the namespace; each worker does so at its start. Upserting an
// unregistered one fails a workflow's task, which Temporal retries for ever.
import type { NativeConnection } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import { SEARCH_ATTRIBUTES, type SearchAttributeName } from '../contracts/search-attributes.js';
import type { WorkerLog } from './logging.js';
import { isTemporalCloud, type TemporalSettings } from '../control/temporal-settings.js';

type IndexedValueType = NonNullable<
  Parameters<NativeConnection['operatorService']['addSearchAttributes']>[0]['searchAttributes']
>[string];

const NAMES = Object.keys(SEARCH_ATTRIBUTES).filter((name): name is SearchAttributeName => name in SEARCH_ATTRIBUTES);

/** The types' numbers in the server's API. */
const TYPES: Readonly<Record<(typeof SEARCH_ATTRIBUTES)[SearchAttributeName], IndexedValueType>> = {
  Keyword: 2,
  KeywordList: 7,
};
/**
 * Longest time until all parts of the server know new attributes, ms. They refresh every 10 s at
 * most.
 */
const PROPAGATION_MS_MAX = 30_000;
const POLL_INTERVAL_MS = 200;
/** Codes of gRPC. */
const INVALID_ARGUMENT = 3;
/** A rate limit, a server that is away, an answer that came too late. */
const PASSING: ReadonlySet<unknown> = new Set([8, 14, 4]);

interface EnsureSearchAttributes {
  readonly connection: Pick<NativeConnection, 'operatorService' | 'workflowService'>;
  readonly target: Pick<TemporalSettings, 'connection' | 'namespace'>;
  readonly log: Pick<WorkerLog, 'info' | 'warn'>;
  readonly signal: AbortSignal;
}

/**
 * Registers the attributes that the namespace lacks, if it is allowed to.
 * @throws Error naming the command that registers what is missing; the signal's reason
 */
export async function ensureSearchAttributes(ensure: EnsureSearchAttributes): Promise<void> {
  const { namespace } = ensure.target;
  const missing = await missingIn(ensure);
  if (missing.length === 0) return;
  try {
    await ensure.connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, TYPES[SEARCH_ATTRIBUTES[name]]])),
    });
  } catch (error) {
    // Another worker that starts now may have registered them.
    const still = await missingIn(ensure);
    if (still.length > 0) throw isPassing(error) ? notNow(ensure, still, error) : refusal(ensure, still, error);
  }
  ensure.log.info({ namespace, searchAttributes: missing }, 'search attributes registered');
  await waitUntilKnown(ensure);
}

/**
 * The attributes that are missing. @throws Error when one exists with another type, since it can't
 * be set then
 */
async function missingIn(ensure: EnsureSearchAttributes): Promise<SearchAttributeName[]> {
  const { namespace } = ensure.target;
  const { operatorService } = ensure.connection;
  const listed = await operatorService.listSearchAttributes({ namespace }).catch((error: unknown) => {
    if (isPassing(error)) throw notAsked(namespace, error);
    return undefined;
  });
  // A server may forbid listing them. A search then shows which are known.
  if (listed === undefined) return await findUnknown(ensure);
  const { customAttributes } = listed;
  const wrong = NAMES.filter((name) => {
    const type = customAttributes[name];
    return type !== undefined && type !== null && type !== TYPES[SEARCH_ATTRIBUTES[name]];
  });
  if (wrong.length > 0) {
    throw new Error(
      `Namespace "${namespace}" has the search attributes ${wrong.join(', ')} with another type than volume-mover needs (${wrong.map((name) => `${name} ${SEARCH_ATTRIBUTES[name]}`).join(', ')}). Use another namespace for volume-mover, or remove these search attributes.`,
    );
  }
  return NAMES.filter((name) => customAttributes[name] === undefined);
}

/**
 * The attributes by which the server refuses a search. @throws Error for any other answer: a rate
 * limit or a refused caller says nothing about attributes
 */
async function findUnknown({
  connection,
  target: { namespace },
}: EnsureSearchAttributes): Promise<SearchAttributeName[]> {
  const unknown: SearchAttributeName[] = [];
  for (const name of NAMES) {
    const query = searchBy(name);
    try {
      await connection.workflowService.countWorkflowExecutions({ namespace, query });
    } catch (error) {
      if (!isInvalidArgument(error)) throw notAsked(namespace, error);
      unknown.push(name);
    }
  }
  return unknown;
}

/** The server's answer to a search by an attribute that it does not know. */
function isInvalidArgument(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === INVALID_ARGUMENT;
}

/** Whether a failure says nothing about permissions, and may be gone at the next start. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && PASSING.has(error.code);
}

function notAsked(namespace: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  const advice = isPassing(cause)
    ? 'That passes by itself: start the worker again'
    : 'Check TEMPORAL_NAMESPACE, the API key and the certificate';
  return new Error(`Temporal did not say which search attributes namespace "${namespace}" has: ${why}. ${advice}.`, {
    cause,
  });
}

function notNow({ target }: EnsureSearchAttributes, missing: readonly SearchAttributeName[], cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `Namespace "${target.namespace}" lacks the search attributes ${missing.join(', ')}, and Temporal did not register them now: ${why}. That is no missing permission, and passes by itself: start the worker again.`,
    { cause },
  );
}

/** A search that the server refuses while it does not know the attribute. */
function searchBy(name: SearchAttributeName): string {
  return `${name} = "-"`;
}

function refusal({ target }: EnsureSearchAttributes, missing: readonly SearchAttributeName[], cause: unknown): Error {
  const { namespace, connection } = target;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `Namespace "${namespace}" lacks the search attributes ${missing.join(', ')}, and the server did not let the worker register them (${why}). Ask an administrator of that namespace to run: ${registration(connection.address, namespace, missing)}`,
    { cause },
  );
}

/** The command that registers attributes. Temporal Cloud has one of its own. */
function registration(address: string, namespace: string, missing: readonly SearchAttributeName[]): string {
  if (isTemporalCloud(address)) {
    const named = missing.map((name) => `--search-attribute "${name}=${SEARCH_ATTRIBUTES[name]}"`).join(' ');
    return `tcld namespace search-attributes add --namespace ${namespace} ${named}`;
  }
  const named = missing.map((name) => `--name ${name} --type ${SEARCH_ATTRIBUTES[name]}`).join(' ');
  return `temporal operator search-attribute create --address ${address} --namespace ${namespace} ${named}`;
}

/**
 * Waits until the server knows the attributes. Registration propagates slowly: a workflow that set
 * them too early would fail its first task.
 */
async function waitUntilKnown({ connection, target, log, signal }: EnsureSearchAttributes): Promise<void> {
  const { namespace } = target;
  const query = NAMES.map(searchBy).join(' OR ');
  const deadlineMs = performance.now() + PROPAGATION_MS_MAX;
  for (;;) {
    try {
      await connection.workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) {
        log.warn(
          { err: error, namespace },
          'the new search attributes cannot be searched yet; the worker starts anyway',
        );
        return;
      }
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal });
  }
}
