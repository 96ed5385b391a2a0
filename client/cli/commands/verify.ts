// volume-mover verify: compares a volume with its replica while the guest goes on writing.
import { Command } from 'commander';
import { z } from 'zod';
import { type MoverError, parseOrRefuse, toProblem } from '../../../contracts/errors.js';
import { type ParsedVerifyInput, verifyInputSchema } from '../../../contracts/verify.js';
import type { MoverClient } from '../../sdk.js';
import type { StartedVerify, Verification } from '../../verifications/verifications.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { type CommandContext, type GlobalOptions, runCommand } from '../session.js';
import { verifyEndLine, verifyReportLines, verifyStatusLine } from '../verify-view.js';

const MIB = 1024 * 1024;
/** How often the line of what goes on now is drawn again, ms. */
const STATUS_INTERVAL_MS = 100;

interface Words extends GlobalOptions {
  readonly rate?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly wait: boolean;
}

const rateSchema = z.object({
  '--rate': z.coerce.number({ error: 'a number of MiB per second, for example 50' }).positive(),
});

export function verifyCommand(context: CommandContext): Command {
  return new Command('verify')
    .description(
      'compare a volume with its replica at one point in time, online; exit code 1 when they differ; Ctrl-C cancels it',
    )
    .argument('<volume>', 'the volume')
    .option('--rate <MiB/s>', 'compare no faster than this (default 200)')
    .option('--operator <name>', 'who asks; kept in the workflow', context.environment['USER'])
    .option('--reason <text>', 'why; kept in the workflow')
    .option('--no-wait', 'return as soon as it is started')
    .action(async (volume: string, words: Words) =>
      runCommand(context, words, async ({ client, output, signal }) => {
        const started = await client.startVerify(inputOf(volume, words));
        if (!words.wait) {
          output.answer(
            { ...started },
            () => `Started ${started.workflowId}${started.url === undefined ? '' : `\n  ${started.url}`}`,
          );
          return EXIT.ok;
        }
        output.progress(`Verification ${started.workflowId}`);
        if (started.url !== undefined) output.progress(`  ${started.url}`);
        return await follow(client, started, output, signal);
      }),
    );
}

/** @throws MoverError INVALID_REQUEST */
function inputOf(volume: string, { rate, operator, reason }: Words): ParsedVerifyInput {
  const bytesPerSecond =
    rate === undefined
      ? undefined
      : Math.round(parseOrRefuse(rateSchema, { '--rate': rate }, 'verify')['--rate'] * MIB);
  const input = { volume, bytesPerSecond, operator, reason };
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  return parseOrRefuse(verifyInputSchema, given, 'verify');
}

/**
 * Nobody but who waits here reads the verdict, so that an interruption ends the verification too.
 */
async function follow(
  client: MoverClient,
  { workflowId }: StartedVerify,
  output: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  const startedAtMs = performance.now();
  let progress: Parameters<typeof verifyStatusLine>[0];
  const draw = (): void => output.status(verifyStatusLine(progress, performance.now() - startedAtMs));
  const ticker = setInterval(draw, STATUS_INTERVAL_MS);
  try {
    for await (progress of client.watchVerify(workflowId, { signal })) draw();
  } catch (error) {
    if (!signal.aborted) throw error;
    await client.cancelVerify(workflowId);
    output.progress(`Interrupted: verification ${workflowId} was asked to end.`);
    return EXIT.interrupted;
  } finally {
    clearInterval(ticker);
    output.status('');
  }
  return answerWith(await client.getVerify(workflowId), output);
}

function answerWith(verification: Verification, output: Output): ExitCode {
  const { report, error, state, ...rest } = verification;
  if (report === undefined && error !== undefined) throw error;
  const json = { ...rest, state, ...(report === undefined ? {} : { report }) };
  output.answer(error === undefined ? json : { ...json, error: toProblem(error) }, () =>
    report === undefined
      ? verifyEndLine(verification)
      : [...verifyReportLines(report), ...adviceOf(error), ...resyncLine(verification)].join('\n'),
  );
  return state === 'same' ? EXIT.ok : EXIT.failed;
}

/** Ready to be pasted. */
function resyncLine({ state, report, workflowId }: Verification): string[] {
  if (state !== 'different' || report === undefined) return [];
  return [`  Only what was found: volume-mover resync ${report.volume} --verified ${workflowId}`];
}

function adviceOf(error: MoverError | undefined): string[] {
  return error === undefined ? [] : [`  What to do: ${error.action}`];
}
