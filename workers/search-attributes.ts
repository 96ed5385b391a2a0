// What workflows are searched by has to be registered in the namespace before any runs: setting one
// that is not makes a workflow's task fail, and be tried again, for ever. So each worker makes sure
// at its start.
import type { NativeConnection } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import { SEARCH_ATTRIBUTES, type SearchAttributeName } from '../contracts/search-attributes.js';
import type { WorkerLog } from './logging.js';
import type { TemporalTarget } from './temporal-target.js';

type IndexedValueType = NonNullable<
  Parameters<NativeConnection['operatorService']['addSearchAttributes']>[0]['searchAttributes']
>[string];

const NAMES = Object.keys(SEARCH_ATTRIBUTES).filter((name): name is SearchAttributeName => name in SEARCH_ATTRIBUTES);

/** As the server's API numbers them. */
const TYPES: Readonly<Record<(typeof SEARCH_ATTRIBUTES)[SearchAttributeName], IndexedValueType>> = {
  Keyword: 2,
  KeywordList: 7,
};
/**
 * How long the server's parts may take to learn of new ones, ms: they look every 10 s at the most.
 */
const KNOWN_MS_MAX = 30_000;
const LOOK_EVERY_MS = 200;

interface EnsureSearchAttributes {
  readonly connection: Pick<NativeConnection, 'operatorService' | 'workflowService'>;
  readonly target: Pick<TemporalTarget, 'connection' | 'namespace'>;
  readonly log: Pick<WorkerLog, 'info' | 'warn'>;
  readonly signal: AbortSignal;
}

/**
 * Registers those that the namespace does not have, where that is allowed.
 * @throws Error that names the command which registers what is missing; the signal's reason
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
    // Another worker that starts now may have done it.
    const still = await missingIn(ensure);
    if (still.length > 0) throw refusal(ensure, still, error);
  }
  ensure.log.info({ namespace, searchAttributes: missing }, 'search attributes registered');
  await untilKnown(ensure);
}

/** @throws Error when one of ours is there with another type: nothing can be set then */
async function missingIn(ensure: EnsureSearchAttributes): Promise<SearchAttributeName[]> {
  const { namespace } = ensure.target;
  const { operatorService } = ensure.connection;
  const listed = await operatorService.listSearchAttributes({ namespace }).catch(() => undefined);
  // Not everywhere may everybody list them; searching by them then tells.
  if (listed === undefined) return await unknownIn(ensure);
  const { customAttributes } = listed;
  const wrong = NAMES.filter((name) => {
    const type = customAttributes[name];
    return type !== undefined && type !== null && type !== TYPES[SEARCH_ATTRIBUTES[name]];
  });
  if (wrong.length > 0) {
    throw new Error(
      `Namespace "${namespace}" has the search attributes ${wrong.join(', ')} with another type than volume-mover needs (${wrong.map((name) => `${name} ${SEARCH_ATTRIBUTES[name]}`).join(', ')}). Use a namespace of its own, or remove them there.`,
    );
  }
  return NAMES.filter((name) => customAttributes[name] === undefined);
}

async function unknownIn({
  connection,
  target: { namespace },
}: EnsureSearchAttributes): Promise<SearchAttributeName[]> {
  const unknown: SearchAttributeName[] = [];
  for (const name of NAMES) {
    const query = searchBy(name);
    await connection.workflowService.countWorkflowExecutions({ namespace, query }).catch(() => unknown.push(name));
  }
  return unknown;
}

/** A search that is refused while the server does not know the attribute. */
function searchBy(name: SearchAttributeName): string {
  return `${name} = "-"`;
}

function refusal({ target }: EnsureSearchAttributes, missing: readonly SearchAttributeName[], cause: unknown): Error {
  const { namespace, connection } = target;
  const named = missing.map((name) => `--name ${name} --type ${SEARCH_ATTRIBUTES[name]}`).join(' ');
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `Namespace "${namespace}" lacks the search attributes ${missing.join(', ')}, and the server did not let the worker register them (${why}). Have somebody who may do it run: temporal operator search-attribute create --address ${connection.address} --namespace ${namespace} ${named}`,
    { cause },
  );
}

/**
 * Registered is not yet known everywhere: a workflow that sets them too early would have its first
 * task tried again.
 */
async function untilKnown({ connection, target, log, signal }: EnsureSearchAttributes): Promise<void> {
  const { namespace } = target;
  const query = NAMES.map(searchBy).join(' OR ');
  const giveUpAtMs = performance.now() + KNOWN_MS_MAX;
  for (;;) {
    try {
      await connection.workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (performance.now() > giveUpAtMs) {
        log.warn({ err: error, namespace }, 'the search attributes can not be searched by yet; going on all the same');
        return;
      }
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}
