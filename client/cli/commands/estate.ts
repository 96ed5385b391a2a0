// volume-mover estate: how the estate file differs from what runs, and what makes both the same.
import { Command } from 'commander';
import type { EstateApplied } from '../../declaration/apply-estate.js';
import { readEstateFile } from '../../estate-file.js';
import type { Difference, EstatePlan } from '../../declaration/compare-estate.js';
import { printable } from '../../text/printable.js';
import { gatheredList } from '../batch-parsers.js';
import { DRY_RUN } from '../dry-run.js';
import { EXIT } from '../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function estateCommand(context: CommandContext): Command {
  return new Command('estate')
    .description('compare the estate file with what runs, and make what runs as the file says')
    .addCommand(estatePlanCommand(context))
    .addCommand(estateApplyCommand(context));
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

interface ApplyFlags extends GlobalFlags {
  readonly retire?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

function estateApplyCommand(context: CommandContext): Command {
  return new Command('apply')
    .description(
      'make what runs as the file says, while everything runs: groups and volumes that are missing are added, settings and names changed (exit code 1 if something still differs)',
    )
    .argument('[file]', 'the file to apply (default: the one of --estate, which also has the addresses)')
    .option(
      '--retire <names>',
      'volumes and groups that the file leaves out, to be retired: a,b (all others stay protected)',
      gatheredList,
    )
    .option(...DRY_RUN)
    .option('--yes', 'do it; without this flag, too, it is only said what would be done')
    .action(async (file: string | undefined, flags: ApplyFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { retire = [], yes = false, dryRun = !yes } = flags;
        const applied = await client.estate.apply({
          ...(file === undefined ? {} : { declaration: readEstateFile(file) }),
          retire,
          dryRun,
          onStep: ({ text }) => output.progress(`  ✓ ${printable(text)}`),
        });
        output.answer({ applied, dryRun }, () => describeApplied(applied, dryRun));
        const isDone = applied.left.length === 0 && (applied.steps.length === 0 || !dryRun || flags.dryRun === true);
        return isDone ? EXIT.ok : EXIT.failed;
      }),
    );
}

function describeApplied({ steps, left }: EstateApplied, dryRun: boolean): string {
  const would = steps.map(({ text }) => `  - ${printable(text)}`);
  return [
    ...(steps.length === 0 ? ['Nothing to do.'] : []),
    ...(dryRun && would.length > 0 ? ['This would be done, in this order:', ...would] : []),
    ...section('Left as it is:', left),
    ...(left.length === 0 && (!dryRun || steps.length === 0) ? ['The estate runs as the file says.'] : []),
    ...(dryRun && steps.length > 0 ? ['Nothing was changed. To do it: repeat the command with --yes.'] : []),
  ].join('\n');
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
