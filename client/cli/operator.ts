// The default operator: the user's login name.
import { Option } from 'commander';
import { userInfo } from 'node:os';
import type { CommandContext } from './session.js';

/** The flag that says who asks. @param where it is kept, e.g. "the report" */
export function operatorOption({ environment }: CommandContext, where: string): Option {
  return new Option('--operator <name>', `who asks; kept in ${where}`).default(
    operatorOf(environment),
    'your login name',
  );
}

export function operatorOf(environment: NodeJS.ProcessEnv): string {
  return environment['USER'] || environment['USERNAME'] || loginName();
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have a number but no name.
    return 'unknown';
  }
}
