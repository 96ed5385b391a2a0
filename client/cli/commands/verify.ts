// volume-mover verify: compares a volume with its replica while the guest writes.
import { Command } from 'commander';
import { z } from 'zod';
import { MoverError, parseOrRefuse } from '../../../contracts/errors.js';
import { type ParsedVerifyInput, verifyInputSchema } from '../../../contracts/verify.js';
import type { MoverClient } from '../../sdk.js';
import type { StartedVerification, Verification } from '../../verifications/verification-client.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { followShown } from '../follow.js';
import { nextOfVerification } from '../next-commands.js';
import { operatorOption } from '../operator.js';
import type { Output } from '../output.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { announceStarted, answerStarted } from '../started.js';
import { withoutUndefined } from '../without-undefined.js';
import { answerWithVerification } from '../verification-answer.js';
import { verifyStatusLine } from '../verify-view.js';

const MIB = 1024 * 1024;

interface VerifyFlags extends GlobalFlags {
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
      'compare a volume with its replica while the guest writes; exit code 1 if they differ; Ctrl-C cancels it',
    )
    .argument('<volume>', 'the volume')
    .option('--rate <MiB/s>', 'compare no faster than this (default 200)')
    .addOption(operatorOption(context, 'the workflow'))
    .option('--reason <text>', 'why; kept in the workflow')
    .option('--no-wait', 'return as soon as it is started')
    .action(async (volume: string, flags: VerifyFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const input = inputOf(volume, flags);
        await refuseOtherNames(client, volume);
        const started = await client.verifications.start(input);
        if (!flags.wait) {
          answerStarted(output, started.verificationId, started, nextOfVerification(started.workflowId));
          return EXIT.ok;
        }
        announceStarted(output, `Verification ${started.verificationId}`, started);
        return await follow(client, started, output, signal);
      }),
    );
}

/**
 * Refuses a name that is no volume before a workflow starts. What does not answer now refuses
 * nothing: the workflow waits for it. @throws VOLUME_NOT_FOUND
 */
async function refuseOtherNames({ points }: MoverClient, name: string): Promise<void> {
  const owner = await points.ownerNamed(name).catch((error: unknown) => {
    if (error instanceof MoverError && error.code !== 'VOLUME_NOT_FOUND') return undefined;
    throw error;
  });
  if (owner === undefined || 'volume' in owner) return;
  throw new MoverError('VOLUME_NOT_FOUND', `"${name}" is a group; a verification compares one volume.`);
}

/** Builds the input. @throws MoverError INVALID_REQUEST */
function inputOf(volume: string, { rate, operator, reason }: VerifyFlags): ParsedVerifyInput {
  const bytesPerSecond =
    rate === undefined
      ? undefined
      : Math.round(parseOrRefuse(rateSchema, { '--rate': rate }, 'verify')['--rate'] * MIB);
  const given = withoutUndefined({ volume, bytesPerSecond, operator, reason });
  return parseOrRefuse(verifyInputSchema, given, 'verify');
}

/** Follows the verification. Ctrl-C cancels it too, since nobody else reads the verdict. */
async function follow(
  client: MoverClient,
  { verificationId }: StartedVerification,
  output: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  const startedAtMs = performance.now();
  let progress: Verification['progress'];
  try {
    const ended = await followShown(client.verifications.follow(verificationId, { signal }), output, {
      status: () => verifyStatusLine(progress, performance.now() - startedAtMs),
      update: (verification) => ({ progress } = verification),
    });
    return answerWithVerification(ended, output);
  } catch (error) {
    if (!signal.aborted) throw error;
    await client.verifications.cancel(verificationId);
    output.answer(
      { verificationId, state: 'cancelled', interrupted: true },
      () => `Interrupted: verification ${verificationId} is being cancelled. It changed nothing.`,
    );
    return EXIT.interrupted;
  }
}
