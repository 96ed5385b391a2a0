// `npm run demo`: shows a move on a whole estate and proves that nothing was lost. Exit code 0 when
// proven.
import { Command } from 'commander';
import { once } from 'node:events';
import { reportText } from './demo/report-text.js';
import { type DemoReport, runDemo } from './demo/run-demo.js';
import { silentStage, visibleStage } from './demo/stages.js';

interface Options {
  readonly json?: boolean;
  readonly keep?: boolean;
}

const { json = false, keep = false } = new Command('npm run demo --')
  .description('Moves a volume on a whole estate while a guest writes, and proves that nothing was lost.')
  .option('--json', 'print nothing but one JSON object on standard output')
  .option('--keep', 'leave everything running at the end, until Ctrl-C')
  .parse()
  .opts<Options>();

process.exitCode = await main();
// A stopped connection's leftovers must not keep the process alive.
process.exit();

async function main(): Promise<number> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  process.once('SIGTERM', () => interrupt.abort());
  try {
    const {
      report,
      estate,
      keep: keepAlive,
      stop,
    } = await runDemo(json ? silentStage : visibleStage, interrupt.signal);
    try {
      console.log(json ? JSON.stringify({ ok: isSound(report), ...report }) : reportText(report, keep));
      if (keep) {
        keepAlive(json ? () => undefined : console.log);
        await keepUntil(interrupt.signal, estate.estateFile);
      }
    } finally {
      await stop();
    }
    return isSound(report) ? 0 : 1;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (json) console.log(JSON.stringify({ ok: false, error: message }));
    else console.error(`The demo failed: ${message}`);
    return 1;
  }
}

function isSound({ proof }: DemoReport): boolean {
  return proof.problems.length === 0;
}

async function keepUntil(signal: AbortSignal, estateFile: string): Promise<void> {
  if (!json) {
    console.log(`\nEverything is left running until Ctrl-C. To look around:`);
    console.log(`  npm run volume-mover -- volumes --estate ${estateFile}`);
  }
  // A signal handler alone doesn't keep the process alive.
  const alive = setInterval(() => undefined, 60_000);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(alive);
}
