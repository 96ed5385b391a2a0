// volume-mover schedule: schedules of batches. Each file below has one or two subcommands.
import { Command } from 'commander';
import type { CommandContext } from '../session.js';
import { adoptCommand } from './schedule/adopt.js';
import { createCommand } from './schedule/create.js';
import { listCommand } from './schedule/list.js';
import { deleteCommand, pauseCommand, resumeCommand } from './schedule/pause.js';
import { backfillCommand, triggerCommand } from './schedule/run-now.js';
import { showCommand } from './schedule/show.js';

export function scheduleCommand(context: CommandContext): Command {
  const command = new Command('schedule').description('run batches on a schedule, on Temporal Schedules');
  const subcommands = [
    createCommand,
    listCommand,
    showCommand,
    pauseCommand,
    resumeCommand,
    triggerCommand,
    backfillCommand,
    adoptCommand,
    deleteCommand,
  ];
  for (const make of subcommands) command.addCommand(make(context));
  return command;
}
