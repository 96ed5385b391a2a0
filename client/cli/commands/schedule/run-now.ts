// volume-mover schedule trigger and backfill: starts batches outside the schedule's times.
import { Command, Option } from 'commander';
import type { Triggered } from '../../../schedules/schedules.js';
import { EXIT, type ExitCode } from '../../exit-code.js';
import { time } from '../../../text/format.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { parseMoment } from '../../moment.js';
import { namingFlags, overlapIn, overlapOption } from './options.js';
import { runText } from './view.js';

interface ScheduleTriggerFlags extends GlobalFlags {
  readonly overlap?: string;
}

export function triggerCommand(context: CommandContext): Command {
  return new Command('trigger')
    .description(
      'run a schedule once now, even if it is paused; exit code 3 if it is skipped because a batch still runs',
    )
    .argument('<schedule>')
    .addOption(overlapOption("the schedule's own"))
    .action(async (name: string, flags: ScheduleTriggerFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const triggered = await client.schedules.trigger(name, overlapIn(flags));
        output.answer({ ...triggered }, () => describe(name, triggered));
        return EXIT_OF[triggered.result];
      }),
    );
}

const EXIT_OF: Readonly<Record<Triggered['result'], ExitCode>> = {
  started: EXIT.ok,
  waiting: EXIT.ok,
  requested: EXIT.ok,
  skipped: EXIT.refused,
};

function describe(name: string, { result, run }: Triggered): string {
  switch (result) {
    case 'started':
      return run === undefined ? `Started a batch of ${name}.` : `Started ${runText(run)}`;
    case 'waiting':
      return `A batch of ${name} starts when the running one has ended.`;
    case 'requested':
      return `Temporal has taken the request, but has not started a batch of ${name} yet. See what comes of it: volume-mover schedule show ${name}`;
    case 'skipped':
      return `Skipped: a batch of ${name} still runs. Wait for its end, or choose another --overlap.`;
  }
}

interface ScheduleBackfillFlags extends ScheduleTriggerFlags {
  readonly from: number;
  readonly to: number;
}

export function backfillCommand(context: CommandContext): Command {
  return new Command('backfill')
    .description('run a schedule for each of its times in a past period; with overlap skip, one batch at a time')
    .argument('<schedule>')
    .addOption(new Option('--from <time>', 'e.g. 2026-11-23T01:00:00Z').argParser(parseMoment).makeOptionMandatory())
    .addOption(new Option('--to <time>', 'at most 31 days later').argParser(parseMoment).makeOptionMandatory())
    .addOption(overlapOption("the schedule's own"))
    .action(async (name: string, flags: ScheduleBackfillFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { from: fromMs, to: toMs } = flags;
        await namingFlags(
          async () => client.schedules.backfill(name, { fromMs, toMs, ...overlapIn(flags) }),
          'The period',
        );
        output.answer(
          { name, fromMs, toMs },
          () => `Asked ${name} to run for its times from ${time(fromMs)} to ${time(toMs)}.`,
        );
        return EXIT.ok;
      }),
    );
}
