// The argument of the verification commands.
import type { Command } from 'commander';

export function withVerification(command: Command): Command {
  return command.argument(
    '<verification-id>',
    'as printed when the verification was started; a workflow id means its newest verification',
  );
}
