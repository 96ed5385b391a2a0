// The default operator: the user's login name.
import { userInfo } from 'node:os';

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
