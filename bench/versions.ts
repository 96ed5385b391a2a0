// The measured version of a program, as the program reports it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Debian's package of each program, for the error when it is missing. */
const PACKAGES: Readonly<Record<string, string>> = {
  fio: 'fio',
  'qemu-img': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  'qemu-storage-daemon': 'qemu-system-common',
};

/**
 * The first line of the program's `--version`.
 * @throws Error naming the Debian package when the program isn't installed
 */
export async function versionOf(program: string): Promise<string> {
  try {
    const { stdout } = await run(program, ['--version']);
    return stdout.split('\n', 1).join().trim();
  } catch (cause) {
    const hint = PACKAGES[program] === undefined ? '' : ` Debian has it in the package "${PACKAGES[program]}".`;
    throw new Error(`This benchmark needs ${program}, which cannot be run here.${hint}`, { cause });
  }
}
