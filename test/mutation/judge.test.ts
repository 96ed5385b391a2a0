// Judges mutants by the scripts alone, all in one process: a mutant is switched on, the scripts
// that reach it are run, and their output is compared. `npm run mutate:scripts` runs it in an
// instrumented copy of the sources.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outputOf } from '../unit/scripts/script.js';
import { worlds } from '../unit/scripts/worlds.js';

/** An hour: thousands of mutants. */
const TIMEOUT_MS = 3_600_000;
/** A mutant whose place is reached so many times more than usual counts as an endless loop. */
const HITS_MAX = 200_000;

interface Mutant {
  readonly id: string;
  /** Set for mutants that are not to be judged. */
  readonly status?: string;
}

/** What Stryker's instrumentation reads and writes. */
interface Instrumentation {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  mutantCoverage?: {
    readonly static: Readonly<Record<string, number>>;
    readonly perTest: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
}

interface Script {
  readonly name: string;
  readonly text: string;
  readonly run: () => Promise<string>;
}

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'test/unit/scripts');
const instrumentation = ((globalThis as { __stryker__?: Instrumentation }).__stryker__ ??= {});

function allScripts(): Script[] {
  return Object.entries(worlds).flatMap(([kind, makeWorld]) =>
    readdirSync(join(FOLDER, kind)).map((file) => {
      const text = readFileSync(join(FOLDER, kind, file), 'utf8');
      return { name: `${kind}/${file}`, text, run: () => outputOf(text, makeWorld()) };
    }),
  );
}

/** Whether the script notices the mutant: by other output, an error, or a loop. */
async function notices({ text, run }: Script, mutant: string, usualHits: number): Promise<boolean> {
  Object.assign(instrumentation, { activeMutant: mutant, hitCount: 0, hitLimit: HITS_MAX + usualHits });
  try {
    return (await run()) !== text;
  } catch {
    return true;
  } finally {
    instrumentation.activeMutant = undefined;
  }
}

test('each mutant is judged by the scripts that reach it', { timeout: TIMEOUT_MS }, async () => {
  const scripts = allScripts();
  for (const { name, text, run } of scripts) {
    instrumentation.currentTestId = name;
    expect(await run(), `${name}, without any mutant`).toBe(text);
  }
  instrumentation.currentTestId = undefined;
  const { static: reachedAtImport = {}, perTest = {} } = instrumentation.mutantCoverage ?? {};
  // Taken now: the runs with mutants are counted there too.
  const atImport = new Set(Object.keys(reachedAtImport));
  const mutants = JSON.parse(readFileSync(join(ROOT, 'mutants.json'), 'utf8')) as readonly Mutant[];
  const judged: { readonly id: string; readonly status: string; readonly by?: string }[] = [];
  for (const { id, status } of mutants) {
    if (status !== undefined) continue;
    const hitsOf = ({ name }: Script): number => perTest[name]?.[id] ?? 0;
    const reaching = scripts.filter((script) => hitsOf(script) > 0);
    let by: string | undefined;
    for (const script of reaching) {
      if (!(await notices(script, id, hitsOf(script)))) continue;
      by = script.name;
      break;
    }
    if (by !== undefined) judged.push({ id, status: 'Killed', by });
    else if (reaching.length > 0) judged.push({ id, status: 'Survived' });
    else judged.push({ id, status: atImport.has(id) ? 'AtImport' : 'NotReached' });
  }
  writeFileSync(join(ROOT, 'judged.json'), JSON.stringify(judged));
});
