// volume-mover verification: lists, shows and cancels verifications. `volume-mover verify` starts
// one.
import { Command } from 'commander';
import type { CommandContext } from '../session.js';
import { verificationCancelCommand } from './verification/cancel.js';
import { verificationListCommand } from './verification/list.js';
import { verificationStatusCommand } from './verification/status.js';

export function verificationCommand(context: CommandContext): Command {
  const verification = new Command('verification').description(
    'list, show and cancel verifications (to start one: volume-mover verify)',
  );
  for (const make of [verificationListCommand, verificationStatusCommand, verificationCancelCommand])
    verification.addCommand(make(context));
  return verification;
}
