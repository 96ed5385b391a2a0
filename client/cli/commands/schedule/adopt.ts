// volume-mover schedule adopt: sets what the Temporal UI's form could not.
import { Command } from 'commander';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { catchUpOption, jitterOption, namingFlags, overlapIn, overlapOption, timeZoneOption } from './options.js';
import { scheduleLines, warningText } from './view.js';

interface ScheduleAdoptFlags extends GlobalFlags {
  readonly overlap?: string;
  readonly catchUp?: number;
  readonly jitter?: number;
  readonly pauseOnFailure: boolean;
  readonly timeZone?: string;
}

export function adoptCommand(context: CommandContext): Command {
  return new Command('adopt')
    .description('correct a schedule made by hand in the UI; its times, input, note and paused state stay')
    .argument('<schedule>')
    .addOption(overlapOption('skip'))
    .addOption(catchUpOption("10m if it is the server's 365 days"))
    .addOption(jitterOption())
    .option('--no-pause-on-failure', 'go on after a batch that failed or was stopped by its failure policy')
    .addOption(timeZoneOption())
    .action(async (name: string, flags: ScheduleAdoptFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { catchUp: catchUpMs, jitter: jitterMs, pauseOnFailure, timeZone } = flags;
        const options = { ...overlapIn(flags), catchUpMs, jitterMs, pauseOnFailure, timeZone };
        const { schedule, corrected } = await namingFlags(async () => client.schedules.adopt(name, options));
        output.answer({ corrected, ...schedule }, () =>
          [
            corrected.length === 0 ? `There was nothing to correct in ${name}.` : `Adopted ${name}. Corrected:`,
            ...corrected.map((warning) => `  - ${warningText(warning)}`),
            ...scheduleLines(schedule),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}
