// volume-mover estate: how the estate file differs from what runs.
import { Command } from 'commander';
import { readEstateFile } from '../../estate-file.js';
import type { Difference, EstatePlan } from '../../declaration/compare-estate.js';
import { printable } from '../../text/printable.js';
import { EXIT } from '../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function estateCommand(context: CommandContext): Command {
  return new Command('estate')
    .description('compare the estate file with what runs')
    .addCommand(estatePlanCommand(context));
}

function estatePlanCommand(context: CommandContext): Command {
  return new Command('plan')
    .description(
      'list what differs between the file, the splitters, the appliances and the replica site (exit code 1 if something does); changes nothing',
    )
    .argument('[file]', 'the file to compare (default: the one of --estate, which also has the addresses)')
    .action(async (file: string | undefined, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const plan = await client.estate.plan(file === undefined ? undefined : readEstateFile(file));
        output.answer({ plan }, () => describe(plan));
        return plan.ok ? EXIT.ok : EXIT.failed;
      }),
    );
}

function describe({ ok, differences, moved }: EstatePlan): string {
  const lost = differences.filter(({ unprotected }) => unprotected);
  const others = differences.filter(({ unprotected }) => !unprotected);
  return [
    ...(ok ? ['The estate runs as the file says.'] : []),
    ...section('Not protected:', lost),
    ...section(
      lost.length === 0 ? 'Everything is protected, but something differs:' : 'Protected, but different:',
      others,
    ),
    ...(moved.length === 0 ? [] : [`Moved since the first start, which is no difference: ${moved.length} volumes.`]),
  ].join('\n');
}

function section(title: string, differences: readonly Difference[]): string[] {
  if (differences.length === 0) return [];
  return [
    title,
    ...differences.flatMap(({ code, message, action }) => [
      `  - ${printable(message)} (${code})`,
      `    What to do: ${printable(action)}`,
    ]),
  ];
}
