// volume-mover conformance: checks a vendor's implementation against the documents of docs/api/.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { applianceIdSchema, groupIdSchema, type VolumeId, volumeIdSchema } from '../../../contracts/ids.js';
import { MoverError } from '../../../contracts/errors.js';
import { type Credentials, readCredentials } from '../../../control/credentials.js';
import { junitOf, reportText, totalsOf } from '../../../conformance/report.js';
import { SPLITTER_CLAUSES, type SplitterClause } from '../../../conformance/splitter/clauses.js';
import { checkSplitter } from '../../../conformance/splitter/run.js';
import { EXIT, exitCodeOf } from '../exit-code.js';
import { Output } from '../output.js';
import type { CommandContext } from '../session.js';
import { wholeNumber } from '../whole-number.js';

/** Longest wait for what a check expects to come, ms. */
const PATIENCE_MS_DEFAULT = 10_000;

interface SplitterFlags {
  readonly url: string;
  readonly tokenFile?: string;
  readonly volume: ReadonlyMap<VolumeId, string>;
  readonly toUrl?: string;
  readonly toGroup?: string;
  readonly toAppliance?: string;
  readonly restart?: string;
  readonly only?: ReadonlySet<SplitterClause>;
  readonly patience: number;
  readonly junit?: string;
  readonly json?: boolean;
}

export function conformanceCommand(context: CommandContext): Command {
  return new Command('conformance')
    .description("check a vendor's implementation, clause by clause (docs/api/conformance.md)")
    .addCommand(splitterConformance(context));
}

function splitterConformance(context: CommandContext): Command {
  return new Command('splitter')
    .description(
      'check a splitter on test volumes: the kit stands in for their appliances, moves them there and back, and writes to their first MiB, which it puts back',
    )
    .requiredOption('--url <url>', "the splitter's control API")
    .option('--token-file <file>', 'a file with the token for it; else as VOLUME_MOVER_TOKEN_FILE')
    .addOption(
      new Option('--volume <name=nbd-url>', 'a test volume and its guest’s disk; again for more; no other is touched')
        .argParser(addVolume)
        .makeOptionMandatory(),
    )
    .option('--to-url <url>', 'where the kit listens as the appliance that a move goes to; default: a free port')
    .option('--to-group <group>', 'the group that a move goes to; default: conformance-other')
    .option('--to-appliance <appliance>', 'the appliance of that group; default: conformance-other')
    .option('--restart <command>', 'ends the splitter and starts it again; without it the clauses S5 are skipped')
    .option('--only <clauses>', 'only these clauses, with commas between them', parseClauses)
    .option('--patience <ms>', 'longest wait for what a check expects, in ms', wholeNumber, PATIENCE_MS_DEFAULT)
    .option('--junit <file>', 'write the findings there as JUnit XML')
    .action(async (flags: SplitterFlags) => checkAndReport(context, flags));
}

async function checkAndReport({ streams, environment, setExitCode }: CommandContext, flags: SplitterFlags) {
  const output = new Output(streams, flags.json === true);
  try {
    const { url, volume: volumes, restart, only, patience: patienceMs } = flags;
    const findings = await checkSplitter({
      url,
      credentials: credentialsOf(environment, flags.tokenFile),
      volumes,
      to: {
        ...(flags.toUrl === undefined ? {} : { url: flags.toUrl }),
        ...(flags.toGroup === undefined ? {} : { group: groupIdSchema.parse(flags.toGroup) }),
        ...(flags.toAppliance === undefined ? {} : { appliance: applianceIdSchema.parse(flags.toAppliance) }),
      },
      restart: restart === undefined ? undefined : async () => run(restart),
      patienceMs,
      only,
      onFinding: ({ clause, result }) => output.progress(`${clause} ${result}`),
    });
    const totals = totalsOf(findings);
    if (flags.junit !== undefined) writeFileSync(flags.junit, junitOf(findings));
    output.answer({ conformance: { role: 'splitter', url, ...totals, findings } }, () => reportText(findings));
    setExitCode(totals.failed === 0 ? EXIT.ok : EXIT.failed);
  } catch (error) {
    setExitCode(exitCodeOf(error));
    output.failure(error);
  }
}

function addVolume(text: string, others: ReadonlyMap<VolumeId, string> = new Map()): ReadonlyMap<VolumeId, string> {
  const at = text.indexOf('=');
  const volume = volumeIdSchema.safeParse(text.slice(0, at));
  if (at < 0 || !volume.success)
    throw new InvalidArgumentError('give NAME=nbd://HOST:PORT/EXPORT, for example test-1=nbd://127.0.0.1:10809/test-1');
  return new Map([...others, [volume.data, text.slice(at + 1)]]);
}

function parseClauses(text: string): ReadonlySet<SplitterClause> {
  const clauses = text.split(',').map((each) => each.trim());
  const known = clauses.filter(isClause);
  if (known.length < clauses.length)
    throw new InvalidArgumentError('unknown clause; docs/api/conformance.md lists them, for example S3.9');
  return new Set(known);
}

const isClause = (text: string): text is SplitterClause => Object.hasOwn(SPLITTER_CLAUSES, text);

/** @throws MoverError INVALID_REQUEST when the file can't be read */
function credentialsOf(environment: NodeJS.ProcessEnv, tokenFile: string | undefined): Credentials {
  if (tokenFile === undefined) return readCredentials(environment);
  try {
    readFileSync(tokenFile);
  } catch (cause) {
    throw new MoverError('INVALID_REQUEST', `--token-file: ${tokenFile} can't be read.`, { cause });
  }
  return readCredentials({ ...environment, VOLUME_MOVER_TOKEN_FILE: tokenFile });
}

/** Runs the user's command in a shell. @throws MoverError CHANGE_REFUSED unless it succeeds */
async function run(command: string): Promise<void> {
  const child = spawn(command, { shell: true, stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'exit');
  if (child.exitCode !== 0)
    throw new MoverError('CHANGE_REFUSED', `--restart: the command "${command}" ended with ${child.exitCode}.`);
}
