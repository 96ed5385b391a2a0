// volume-mover batch pause, resume, abort, skip, approve: requests to a running batch, answered
// with a sentence.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../../contracts/errors.js';
import { volumeIdSchema } from '../../../../contracts/ids.js';
import type { BatchClient, BatchRequest } from '../../../batches/batch-client.js';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, runCommand } from '../../session.js';
import { requestOf, type RequestFlags, withRequest } from '../../request.js';
import { withBatch } from './batch-argument.js';

interface BatchAbortFlags extends RequestFlags {
  readonly rollBack?: boolean;
}

export function pauseCommand(context: CommandContext): Command {
  return simple(context, 'pause', 'start no further moves until resume; running moves go on', (batches, id, request) =>
    batches.pause(id, request),
  );
}

export function resumeCommand(context: CommandContext): Command {
  return simple(context, 'resume', 'start moves again after a pause', (batches, id, request) =>
    batches.resume(id, request),
  );
}

export function approveCommand(context: CommandContext): Command {
  return simple(context, 'approve', 'start the other moves after the canary (--canary)', (batches, id, request) =>
    batches.approve(id, request),
  );
}

export function abortCommand(context: CommandContext): Command {
  return withRequest(withBatch(new Command('abort')))
    .description('end a batch: no further move starts, running moves finish')
    .option('--roll-back', 'roll back running moves that are not committed yet')
    .action(async (id: string, flags: BatchAbortFlags) =>
      ask(context, flags, async (batches, request) =>
        batches.abort(id, { ...request, running: flags.rollBack === true ? 'roll-back' : 'finish' }),
      ),
    );
}

export function skipCommand(context: CommandContext): Command {
  return withRequest(withBatch(new Command('skip')).argument('<volume>', 'the volume'))
    .description('skip the waiting move of a volume, with the other disks of that move')
    .action(async (id: string, volume: string, flags: RequestFlags) =>
      ask(context, flags, async (batches, request) =>
        batches.skip(id, { ...request, volume: parseOrRefuse(volumeIdSchema, volume, 'volume') }),
      ),
    );
}

function simple(
  context: CommandContext,
  name: string,
  description: string,
  send: (batches: BatchClient, id: string, request: BatchRequest) => Promise<string>,
): Command {
  return withRequest(withBatch(new Command(name)))
    .description(description)
    .action(async (id: string, flags: RequestFlags) =>
      ask(context, flags, async (batches, request) => send(batches, id, request)),
    );
}

async function ask(
  context: CommandContext,
  flags: RequestFlags,
  send: (batches: BatchClient, request: BatchRequest) => Promise<string>,
): Promise<void> {
  await runCommand(context, flags, async ({ client, output }) => {
    const message = await send(client.batches, requestOf(flags, context.environment));
    output.answer({ message }, () => message);
    return EXIT.ok;
  });
}
