// volume-mover worker: runs a worker until it is asked to stop. Each flag stands for a variable, so
// that flags, environment and estate file are checked together.
import { Command, Option } from 'commander';
import { WORKER_SETTINGS } from '../../../control/worker-settings.js';
import { findEstateFile } from '../../estate-file.js';
import type { CommandContext, GlobalFlags } from '../session.js';
import { variablesOf } from '../target-flags.js';

/** The worker's own process. It is found by path: no other room imports workers/. */
const WORKER_MODULE = new URL('../../../workers/main.js', import.meta.url).href;

const FLAGS: readonly { readonly variable: string; readonly flag: string; readonly what: string }[] = [
  { variable: 'VOLUME_MOVER_ID', flag: '--id <name>', what: 'its name in histories and logs' },
  {
    variable: 'VOLUME_MOVER_HEALTH',
    flag: '--health <host:port>',
    what: "where it answers for its health, if not at the estate file's worker.health; port 0 takes a free one",
  },
  {
    variable: 'VOLUME_MOVER_METRICS',
    flag: '--metrics <host:port>',
    what: "where the Temporal SDK serves its own metrics (default: a free port of loopback); the worker's /metrics has them too",
  },
  {
    variable: 'VOLUME_MOVER_LOG_LEVEL',
    flag: '--log-level <level>',
    what: 'trace, debug, info, warn, error or silent',
  },
  { variable: 'VOLUME_MOVER_DEPLOYMENT', flag: '--deployment <name>', what: 'the deployment that it is a version of' },
  { variable: 'VOLUME_MOVER_BUILD_ID', flag: '--build-id <id>', what: 'its version in the deployment' },
  ...Object.values(WORKER_SETTINGS),
];

export function workerCommand({ environment }: CommandContext): Command {
  const command = new Command('worker').description(
    'run a worker, which makes moves, batches and verifications; several may run on one host, each with a --health of its own',
  );
  for (const { variable, flag, what } of FLAGS) command.addOption(new Option(flag, `${what}; as ${variable}`));
  return command.action(async (flags: GlobalFlags) => {
    const estate = findEstateFile({ path: flags.estate, environment });
    Object.assign(environment, variablesOf(flags), settingsIn(command), { VOLUME_MOVER_ESTATE: estate });
    // The worker reads its settings from the environment, and ends this process itself.
    await import(WORKER_MODULE);
  });
}

/** The variables that the given flags stand for. */
function settingsIn(command: Command): Record<string, string> {
  const texts = FLAGS.map(({ variable, flag }): [string, unknown] => [
    variable,
    command.getOptionValue(new Option(flag).attributeName()),
  ]);
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
