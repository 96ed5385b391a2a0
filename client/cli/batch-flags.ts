// The flags of `batch start` as a batch's input: from a file, from flags, or from flags on top of a
// file.
import { type Command, Option } from 'commander';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import {
  BATCH_INPUT_BYTES_MAX,
  BATCH_MOVES_MAX,
  type BatchInput,
  batchInputSchema,
  type MaintenanceWindow,
  type ParsedBatchInput,
} from '../../contracts/batch.js';
import { type ErrorCode, invalidField, MoverError, reasonsOf, type Reason } from '../../contracts/errors.js';
import { causeOf } from '../../control/cause.js';
import { DuplicateKeyError, parseJson } from '../../control/json-text.js';
import { checkBatchInput } from '../batches/check-input.js';
import {
  gatheredLabels,
  gatheredList,
  gatheredMap,
  ON_FAILURE_HELP,
  ORDER_HELP,
  parseCount,
  parseOnFailure,
  parseOrder,
  parseWindow,
  WINDOW_HELP,
} from './batch-parsers.js';
import { operatorOf } from './operator.js';
import { parseDuration } from './parse-duration.js';
import { withoutUndefined } from './without-undefined.js';

type Options = NonNullable<BatchInput['options']>;

export interface BatchOptionFlags {
  readonly concurrency?: number;
  readonly perGroup?: number;
  readonly perAppliance?: number;
  readonly startsPerSecond?: number;
  readonly order?: Options['order'];
  readonly onFailure?: Options['failures'];
  readonly retries?: number;
  readonly retryAfter?: number;
  readonly window?: MaintenanceWindow;
  readonly atWindowEnd?: 'finish' | 'wait';
  readonly expectedMove?: number;
  readonly canary?: number;
  readonly approval: boolean;
  readonly verify?: boolean;
}

export interface BatchInputFlags extends BatchOptionFlags {
  readonly input?: string;
  readonly from?: readonly string[];
  readonly to?: string;
  readonly name?: string;
  readonly vm?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly map?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly dryRun?: boolean;
  readonly operator?: string;
  readonly reason?: string;
}

/** Adds all flags of a batch: volumes, targets and options. */
export function withBatchFlags(command: Command): Command {
  command
    .option('--input <file>', 'the batch as a JSON object, "-" for standard input; flags override it')
    .option('--from <groups>', 'volumes of this group, or of several: cg-a,cg-b', gatheredList)
    .option('--to <group>', 'the group that all of them move to')
    .option('--map <from=to,…>', 'the target group for each source group', gatheredMap)
    .option('--name <pattern>', 'volumes whose id matches: * is any characters, ? is one')
    .option('--vm <name>', 'disks of this virtual machine')
    .option('--label <name=value>', 'volumes with this label; repeat the flag to require several', gatheredLabels)
    .option('--volumes <a,b,…>', 'these volumes, each a move of its own', gatheredList);
  return withBatchOptions(command)
    .option('--dry-run', 'plan every move and change nothing')
    .option('--operator <name>', 'who asks; kept in the reports (default: your login name)')
    .option('--reason <text>', 'why; kept in the reports');
}

/** Adds only the option flags. */
export function withBatchOptions(command: Command): Command {
  return command
    .option('--concurrency <n>', 'moves at the same time (default 20)', parseCount)
    .option('--per-group <n>', 'moves at the same time out of one group, and into one group', parseCount)
    .option('--per-appliance <n>', 'moves at the same time at one appliance', parseCount)
    .option('--starts-per-second <n>', 'moves started per second', Number)
    .addOption(new Option('--order <order>', ORDER_HELP).argParser(parseOrder))
    .addOption(new Option('--on-failure <policy>', ON_FAILURE_HELP).argParser(parseOnFailure))
    .option('--retries <n>', 'further tries of a failed move', parseCount)
    .option('--retry-after <time>', 'pause before the next try: 90s, 30m (default 60s)', parseDuration)
    .addOption(new Option('--window <window>', WINDOW_HELP).argParser(parseWindow))
    .addOption(
      new Option(
        '--at-window-end <what>',
        'when the window ends: end as incomplete, or wait for the next window',
      ).choices(['finish', 'wait']),
    )
    .option(
      '--expected-move <time>',
      'expected duration of a move, until some are measured (default 60s)',
      parseDuration,
    )
    .option('--canary <n>', 'start with this many moves; the others wait for: volume-mover batch approve', parseCount)
    .option('--no-approval', 'with --canary: start the others when these have succeeded')
    .option('--verify', 'compare each volume with its replica after its move');
}

/** The flag for each field, by the beginning of its path. The longest match counts. */
const FLAG_OF: Readonly<Record<string, keyof BatchInputFlags>> = {
  moves: 'volumes',
  'select.from': 'from',
  'select.name': 'name',
  'select.vm': 'vm',
  'select.labels': 'label',
  to: 'to',
  map: 'map',
  dryRun: 'dryRun',
  operator: 'operator',
  reason: 'reason',
  'options.concurrency.all': 'concurrency',
  'options.concurrency.perSourceGroup': 'perGroup',
  'options.concurrency.perTargetGroup': 'perGroup',
  'options.concurrency.perAppliance': 'perAppliance',
  'options.startsPerSecond': 'startsPerSecond',
  'options.order': 'order',
  'options.failures': 'onFailure',
  'options.retries.max': 'retries',
  'options.retries.backoffMs': 'retryAfter',
  'options.window': 'window',
  'options.atWindowEnd': 'atWindowEnd',
  'options.expectedMoveMs': 'expectedMove',
  'options.canary': 'canary',
  'options.verify': 'verify',
};

export interface FlagsContext {
  readonly environment: NodeJS.ProcessEnv;
  /** Who asks if neither flags nor file say so. Default: the login name. */
  readonly operator?: string;
  /** Reads the file of --input. */
  readonly read?: (file: string) => Promise<string>;
}

/** The checked input. @throws MoverError INVALID_REQUEST naming the flag or the field */
export async function batchInputOf(
  flags: BatchInputFlags,
  { environment, operator = operatorOf(environment), read = readInput }: FlagsContext,
): Promise<ParsedBatchInput> {
  const base = flags.input === undefined ? {} : await objectIn(flags.input, read);
  const given = batchValueOf(flags, base, operator);
  const parsed = batchInputSchema.safeParse(given);
  if (!parsed.success) throw refusal(reasonsOf(parsed.error, 'batch'), flags);
  try {
    checkBatchInput(parsed.data, Date.now());
  } catch (error) {
    throw error instanceof MoverError && error.reasons.length > 0 ? refusal(error.reasons, flags) : error;
  }
  return parsed.data;
}

async function readInput(file: string): Promise<string> {
  return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
}

async function objectIn(
  file: string,
  read: (file: string) => Promise<string>,
): Promise<Readonly<Record<string, unknown>>> {
  const where = file === '-' ? 'standard input' : `"${file}"`;
  let value: unknown;
  try {
    value = parseJson(await read(file));
  } catch (error) {
    const what = failureWords(error);
    throw invalidField('--input', `${where} ${what}: ${causeOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidField(
      '--input',
      `${where} is not a JSON object; give for example { "select": { "from": "cg-gold" }, "to": "cg-silver" }`,
    );
  return { ...value };
}

function failureWords(error: unknown): string {
  if (error instanceof DuplicateKeyError) return 'is ambiguous';
  return error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
}

/** The unchecked input from file and flags. A flag overrides the file. */
function batchValueOf(
  flags: BatchInputFlags,
  base: Readonly<Record<string, unknown>>,
  login: string,
): Readonly<Record<string, unknown>> {
  const { dryRun, operator, reason } = flags;
  return {
    ...base,
    ...whatOf(flags, base),
    ...withoutUndefined({ dryRun, reason }),
    operator: operator ?? base['operator'] ?? login,
    options: mergedOptions(objectOf(base['options']), optionsOf(flags)),
  };
}

/** Which volumes to move, and where. */
function whatOf(flags: BatchInputFlags, base: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { from, name, vm, label, to, map, volumes, input } = flags;
  if (volumes !== undefined) return { moves: listedMoves(volumes, flags) };
  const select = withoutUndefined({ from: from?.length === 1 ? from[0] : from, name, vm, labels: label });
  const selects = Object.keys(select).length > 0;
  if (input === undefined && !selects)
    throw invalidField(
      '--from',
      'name the volumes: --from, --name, --vm or --label with --to or --map, --volumes with --to, or --input',
    );
  return {
    ...(selects ? { select: { ...objectOf(base['select']), ...select } } : {}),
    // Each of `to` and `map` replaces the other.
    ...(to === undefined && map === undefined ? {} : { to, map }),
  };
}

function listedMoves(
  volumes: readonly string[],
  { to, from, name, vm, label }: BatchInputFlags,
): Record<string, unknown>[] {
  if (to === undefined) throw invalidField('--to', 'with --volumes, name the target group');
  if (name !== undefined || vm !== undefined || label !== undefined)
    throw invalidField('--volumes', 'cannot be used together with --name, --vm or --label');
  if (from !== undefined && from.length > 1) throw invalidField('--from', 'with --volumes, name one group at most');
  if (volumes.length > BATCH_MOVES_MAX)
    throw invalidField('--volumes', `at most ${BATCH_MOVES_MAX}; select more by --from, --name, --vm and --label`);
  return volumes.map((volume) => withoutUndefined({ volume, to, from: from?.[0] }));
}

/** The options that the flags give, and no others. */
export function optionsOf(flags: BatchOptionFlags): Options {
  const { concurrency, perGroup, perAppliance, startsPerSecond, order, onFailure, retries, retryAfter } = flags;
  const { window, atWindowEnd, expectedMove, canary, approval, verify } = flags;
  const limits = {
    ...(concurrency === undefined ? {} : { all: concurrency }),
    ...(perGroup === undefined ? {} : { perSourceGroup: perGroup, perTargetGroup: perGroup }),
    ...(perAppliance === undefined ? {} : { perAppliance }),
  };
  const tries = {
    ...(retries === undefined ? {} : { max: retries }),
    ...(retryAfter === undefined ? {} : { backoffMs: retryAfter }),
  };
  return {
    ...(Object.keys(limits).length === 0 ? {} : { concurrency: limits }),
    ...(startsPerSecond === undefined ? {} : { startsPerSecond }),
    ...(order === undefined ? {} : { order }),
    ...(onFailure === undefined ? {} : { failures: onFailure }),
    ...(Object.keys(tries).length === 0 ? {} : { retries: tries }),
    ...(window === undefined ? {} : { window }),
    ...(atWindowEnd === undefined ? {} : { atWindowEnd }),
    ...(expectedMove === undefined ? {} : { expectedMoveMs: expectedMove }),
    ...(canary === undefined ? {} : { canary: { count: canary, approval } }),
    ...(verify === undefined ? {} : { verify }),
  };
}

/**
 * Merges options. Limits and retries merge field by field; a flag replaces any other option whole.
 */
function mergedOptions(base: Readonly<Record<string, unknown>>, flags: Options): Readonly<Record<string, unknown>> {
  const { concurrency, retries } = flags;
  return {
    ...base,
    ...flags,
    ...(concurrency === undefined ? {} : { concurrency: { ...objectOf(base['concurrency']), ...concurrency } }),
    ...(retries === undefined ? {} : { retries: { ...objectOf(base['retries']), ...retries } }),
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** Rewrites a refusal of unknown groups to name flags, since people typed flags. */
export async function namingBatchFlags<T>(flags: BatchInputFlags, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'GROUP_NOT_FOUND') throw error;
    throw refusal(error.reasons, flags, error.code);
  }
}

function refusal(reasons: readonly Reason[], flags: BatchInputFlags, code: ErrorCode = 'INVALID_REQUEST'): MoverError {
  const named = reasons.map((reason) => ({ ...reason, subject: flagOf(reason.subject, flags) ?? reason.subject }));
  const listed = [...new Set(named.map(({ subject, message }) => `${subject}: ${message}`))].join('; ');
  return new MoverError(code, `The batch is not accepted: ${listed}${listed.endsWith('.') ? '' : '.'}`, {
    reasons: named,
  });
}

/**
 * The flag that a field came from; undefined when it came from the file.
 * @example "--per-group"
 */
function flagOf(path: string, flags: BatchInputFlags): string | undefined {
  const [flag] = Object.entries(FLAG_OF)
    .filter(([beginning]) => path === beginning || path.startsWith(`${beginning}.`))
    .toSorted(([a], [b]) => b.length - a.length)
    .map(([, name]) => name);
  if (flag === undefined || flags[flag] === undefined) return undefined;
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Help text of commands that take a batch. */
export const INPUT_HELP = `A batch's input has at most ${BATCH_INPUT_BYTES_MAX / 1_000} kB of JSON and ${BATCH_MOVES_MAX} listed moves; name more by --from, --name, --vm and --label.`;
