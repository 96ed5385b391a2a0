// volume-mover batch: many moves under limits, in a window, with one report.
import { Command } from 'commander';
import type { CommandContext } from '../session.js';
import { batchListCommand } from './batch/list.js';
import { batchReportCommand } from './batch/report.js';
import { abortCommand, approveCommand, pauseCommand, resumeCommand, skipCommand } from './batch/requests.js';
import { retryFailedCommand } from './batch/retry-failed.js';
import { setConcurrencyCommand } from './batch/set-concurrency.js';
import { batchStartCommand } from './batch/start.js';
import { batchStatusCommand } from './batch/status.js';
import { batchWatchCommand } from './batch/watch.js';

export function batchCommand(context: CommandContext): Command {
  const batch = new Command('batch').description('move many volumes under limits, in a window, with one report');
  const commands = [
    batchStartCommand,
    batchStatusCommand,
    batchWatchCommand,
    batchListCommand,
    pauseCommand,
    resumeCommand,
    abortCommand,
    skipCommand,
    retryFailedCommand,
    approveCommand,
    setConcurrencyCommand,
    batchReportCommand,
  ];
  for (const make of commands) batch.addCommand(make(context));
  return batch;
}
