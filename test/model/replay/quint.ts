// Runs Quint's simulator on docs/model. Its TypeScript backend needs nothing but the package; the
// other one is a download.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plain } from './itf.js';
import { type SpecStep, type SpecWorld, stateSchema } from './spec.js';

const SPECIFICATION = fileURLToPath(new URL('../../../docs/model/instances.qnt', import.meta.url));
const QUINT = join(dirname(createRequire(import.meta.url).resolve('@informalsystems/quint')), 'cli.js');

/** Memory for young objects, in MiB: Quint makes many, and the default collects all the time. */
const YOUNG_MIB = 64;

export interface Run {
  /** The instance, a module of instances.qnt. */
  readonly instance: string;
  readonly seed: number;
  readonly samples: number;
  readonly stepsMax: number;
  /** The action that is a step; by default `step`. */
  readonly step?: string;
}

export interface State {
  readonly w: SpecWorld;
  readonly did: SpecStep;
}

/** Whether the promises held over all samples, and what Quint printed. */
export interface Outcome {
  readonly isSafe: boolean;
  readonly output: string;
}

/**
 * Simulates, and hands over each sample as a trace.
 * @param onTrace absent: Quint writes no traces.
 * @throws Error if Quint fails for another reason than a broken promise
 */
export async function simulate(run: Run, onTrace?: (trace: readonly State[], file: string) => void): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'quint-'));
  try {
    const traces = ['--n-traces', `${run.samples}`, '--out-itf', join(folder, 't{seq}.itf.json')];
    const args = [
      `--max-semi-space-size=${YOUNG_MIB}`,
      QUINT,
      'run',
      SPECIFICATION,
      '--backend=typescript',
      `--main=${run.instance}`,
      '--invariant=safe',
      `--max-samples=${run.samples}`,
      `--max-steps=${run.stepsMax}`,
      `--step=${run.step ?? 'step'}`,
      `--seed=${run.seed}`,
      '--verbosity=1',
      ...(onTrace === undefined ? [] : traces),
    ];
    const { code, output } = await execute(args);
    const isBroken = output.includes('[violation]');
    if (code !== 0 && !isBroken) throw new Error(`quint ended with ${code}:\n${output}`);
    if (onTrace !== undefined)
      for (const file of await readdir(folder)) onTrace(await readTrace(join(folder, file)), file);
    return { isSafe: !isBroken, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function execute(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, output };
}

/** Names of variables carry the instance's: only the last part counts. */
async function readTrace(path: string): Promise<State[]> {
  const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (typeof parsed !== 'object' || parsed === null || !('states' in parsed) || !Array.isArray(parsed.states))
    throw new Error(`${path} is no trace`);
  return parsed.states.map((state: unknown) => {
    const value = plain(state);
    if (typeof value !== 'object') throw new Error(`${path} has a state without variables`);
    return stateSchema.parse(
      Object.fromEntries(Object.entries(value).map(([name, content]) => [name.split('::').at(-1), content])),
    );
  });
}
