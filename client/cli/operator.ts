// Who asks, when nobody says: the user's login name.
import { userInfo } from 'node:os';

export function operatorOf(environment: NodeJS.ProcessEnv): string {
  return environment['USER'] || environment['USERNAME'] || loginName();
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have a number and no name.
    return 'unknown';
  }
}
