// The flags that choose what a command talks to: the estate, and its Temporal server.
import { type Command, Option } from 'commander';
import { UI_URL_VARIABLE } from '../temporal/ui-url.js';

export interface TargetFlags {
  readonly estate?: string;
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
  readonly uiUrl?: string;
}

const HEADING = 'Which estate and which Temporal server:';

export function withTargetFlags(command: Command): Command {
  const flags: readonly (readonly [string, string])[] = [
    ['--estate <file>', 'the estate file'],
    ['--address <host:port>', "the Temporal server, if it is not the estate's own; as TEMPORAL_ADDRESS"],
    ['--namespace <name>', 'its namespace; as TEMPORAL_NAMESPACE'],
    ['--profile <name>', 'a profile of temporal.toml; as TEMPORAL_PROFILE'],
    ['--ui-url <url>', `the address of its web UI, for links; as ${UI_URL_VARIABLE}`],
  ];
  for (const [flag, description] of flags) command.addOption(new Option(flag, description).helpGroup(HEADING));
  return command;
}

/** The variables that say the same as the flags. A flag overrides its variable. */
export function variablesOf({ address, namespace, profile, uiUrl }: TargetFlags): NodeJS.ProcessEnv {
  return {
    ...(address === undefined ? {} : { TEMPORAL_ADDRESS: address }),
    ...(namespace === undefined ? {} : { TEMPORAL_NAMESPACE: namespace }),
    ...(profile === undefined ? {} : { TEMPORAL_PROFILE: profile }),
    ...(uiUrl === undefined ? {} : { [UI_URL_VARIABLE]: uiUrl }),
  };
}
