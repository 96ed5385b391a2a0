// The folder for results that take minutes to make, shared by every clone of the project.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The user's cache folder for this project: `$XDG_CACHE_HOME/volume-mover`, else
 * `~/.cache/volume-mover`. A relative `XDG_CACHE_HOME` is ignored, as the XDG base directory
 * specification says.
 */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const configured = env['XDG_CACHE_HOME'];
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.cache');
  return join(base, 'volume-mover');
}
