// volume-mover schedule pause, resume and delete: whether a schedule starts batches. Running ones
// continue.
import { Command } from 'commander';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { operatorOption } from '../../operator.js';
import { reasonOption } from './options.js';
import { scheduleLines } from './view.js';

interface SchedulePauseFlags extends GlobalFlags {
  readonly operator?: string;
  readonly reason?: string;
}

export function pauseCommand(context: CommandContext): Command {
  return new Command('pause')
    .description(
      'pause a schedule: it starts no batch; a running batch goes on (to pause that: volume-mover batch pause)',
    )
    .argument('<schedule>')
    .addOption(operatorOption(context, 'the note'))
    .addOption(reasonOption())
    .action(async (name: string, flags: SchedulePauseFlags) => change(context, name, flags, 'pause'));
}

export function resumeCommand(context: CommandContext): Command {
  return new Command('resume')
    .description('resume a paused schedule; missed runs are not made up (for that: volume-mover schedule backfill)')
    .argument('<schedule>')
    .addOption(operatorOption(context, 'the note'))
    .addOption(reasonOption())
    .action(async (name: string, flags: SchedulePauseFlags) => change(context, name, flags, 'resume'));
}

async function change(
  context: CommandContext,
  name: string,
  flags: SchedulePauseFlags,
  call: 'pause' | 'resume',
): Promise<void> {
  await runCommand(context, flags, async ({ client, output }) => {
    const { operator, reason } = flags;
    const schedule = await client.schedules[call](name, { operator, reason });
    output.answer({ ...schedule }, () => scheduleLines(schedule).join('\n'));
    return EXIT.ok;
  });
}

export function deleteCommand(context: CommandContext): Command {
  return new Command('delete')
    .description('delete a schedule; a running batch goes on')
    .argument('<schedule>')
    .action(async (name: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        await client.schedules.delete(name);
        output.answer({ name, deleted: true }, () => `Deleted schedule ${name}.`);
        return EXIT.ok;
      }),
    );
}
