// What every command works with: a client of the chosen estate, an output, and Ctrl-C as a signal.
import { findEstateFile, readEstateFile } from '../estate-file.js';
import { AllFaults } from '../../control/all-faults.js';
import { readCredentials } from '../../control/credentials.js';
import { createMoverClient, type MoverClient } from '../sdk.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-code.js';
import { listenForInterrupt } from './interrupt.js';
import { Output, type Streams } from './output.js';
import { type TargetFlags, variablesOf } from './target-flags.js';

/** Flags of every command. The program adds them: see `createProgram`. */
export interface GlobalFlags extends TargetFlags {
  readonly json?: boolean;
}

export interface Session {
  readonly client: MoverClient;
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The body of a command. It returns its exit code, or throws what `exitCodeOf` knows. */
export type CommandBody = (session: Session) => Promise<ExitCode>;

export interface CommandContext {
  readonly streams: Streams;
  readonly environment: NodeJS.ProcessEnv;
  readonly setExitCode: (code: ExitCode) => void;
}

/**
 * Runs a command to its end in every case: writes the answer or the failure, and sets the exit
 * code.
 */
export async function runCommand(context: CommandContext, flags: GlobalFlags, body: CommandBody): Promise<void> {
  const output = new Output(context.streams, flags.json === true);
  const interrupt = listenForInterrupt();
  let client: MoverClient | undefined;
  try {
    client = openClient(context.environment, flags);
    context.setExitCode(await body({ client, output, signal: interrupt.signal }));
  } catch (error) {
    const { aborted } = interrupt.signal;
    context.setExitCode(aborted ? EXIT.interrupted : exitCodeOf(error));
    output.failure(
      aborted ? new Error('interrupted; what was started goes on. To see it: volume-mover moves --running') : error,
    );
  } finally {
    await client?.close();
    interrupt.stopListening();
  }
}

/** A client of the estate and the Temporal server that flags and environment choose. */
export function openClient(environment: NodeJS.ProcessEnv, flags: TargetFlags): MoverClient {
  const chosen = { ...environment, ...variablesOf(flags) };
  const faults = new AllFaults();
  const estate = faults.of(() => readEstateFile(findEstateFile({ path: flags.estate, environment: chosen })));
  const credentials = faults.of(() => readCredentials(chosen));
  if (estate === undefined || credentials === undefined)
    throw faults.refusal ?? new Error('A setting that is missing is a fault.');
  return createMoverClient({ estate, credentials, environment: chosen });
}
