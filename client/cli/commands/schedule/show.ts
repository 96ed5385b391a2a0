// volume-mover schedule show: everything about one schedule. With --ui: what to type to make the
// same by hand.
import { Command } from 'commander';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { uiFormLines } from './form-view.js';
import { scheduleLines } from './view.js';

interface ScheduleShowFlags extends GlobalFlags {
  readonly ui?: true;
}

export function showCommand(context: CommandContext): Command {
  return new Command('show')
    .description('show a schedule: when it runs, what it starts, how its last runs ended, and warnings')
    .argument('<schedule>', 'as volume-mover schedule list shows it')
    .option('--ui', 'what to type into the schedule form of the Temporal UI for the same schedule')
    .action(async (name: string, flags: ScheduleShowFlags) =>
      runCommand(context, flags, async ({ client: { schedules }, output }) => {
        if (flags.ui === true) {
          const form = await schedules.uiForm(name);
          output.answer({ ...form }, () => uiFormLines(form).join('\n'));
        } else {
          const schedule = await schedules.get(name);
          output.answer({ ...schedule }, () => scheduleLines(schedule).join('\n'));
        }
        return EXIT.ok;
      }),
    );
}
