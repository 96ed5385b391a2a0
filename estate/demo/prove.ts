// The demo's proof: the replica equals the source, both hold what the guest wrote, and both
// bookmarks are states that the guest went through.
import type { MoveReport } from '../../contracts/move.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { compareExports, type Comparison, type Export, withExport } from '../compare.js';
import type { Guest } from '../guest/guest.js';
import { type DiskCheck, verifyCut, verifyFinal } from '../guest/verify.js';
import type { RunningEstate } from '../launch.js';
import { nbdAddressOf } from '../nbd-address.js';
import type { Print } from './stages.js';

export interface Proof {
  /** The source compared with the replica, once quiet. */
  readonly replica: Comparison;
  /** The source compared with the guest's log of acknowledged writes. */
  readonly source: DiskCheck;
  /** The "left" bookmark in the old group and, below, the "joined" bookmark in the new one. */
  readonly left: DiskCheck;
  readonly joined: DiskCheck;
  /** Sentences about what is wrong; empty when nothing is. */
  readonly problems: readonly string[];
}

export async function proveMove(estate: RunningEstate, report: MoveReport, guest: Guest, print: Print): Promise<Proof> {
  const [moved] = report.volumes;
  if (moved === undefined) throw new Error('The report of the move names no volume.');
  const { volume, splitter } = moved;
  const appliance = await nbdAddressOf(estate.process(report.to.appliance));
  const source: Export = { address: await nbdAddressOf(estate.process(splitter)), name: volume };
  const image = (point: string): Export => ({ address: appliance, name: `${volume}@${point}` });
  const { left: leftBookmark, joined: joinedBookmark } = report.bookmarks;

  print('source and replica, byte for byte');
  const replica = await compareExports(source, image('latest'));
  print('source and the guest’s memory');
  const written = await verify(source, guest, verifyFinal);
  print('the "left" bookmark');
  const left = await verify(image(leftBookmark.point), guest, verifyCut);
  print('the "joined" bookmark');
  const joined = await verify(image(joinedBookmark.point), guest, verifyCut);
  return { replica, source: written, left, joined, problems: problemsOf({ replica, source: written, left, joined }) };
}

async function verify(from: Export, guest: Guest, check: typeof verifyFinal): Promise<DiskCheck> {
  return await withExport(from, async (client) => check(readAhead(client), guest.seed, guest.log));
}

function problemsOf({ replica, source, left, joined }: Omit<Proof, 'problems'>): string[] {
  const differs = `replica and source differ in ${replica.differentBytes} bytes, first at offset ${replica.firstDifference}`;
  return [
    ...(replica.differentBytes === 0 ? [] : [differs]),
    ...faultsOf('source', source),
    ...faultsOf('"left" bookmark', left),
    ...faultsOf('"joined" bookmark', joined),
    // Rules out an empty image, which would be consistent with anything.
    ...(left.written === 0 ? ['the "left" bookmark holds none of the guest’s writes'] : []),
    ...(joined.written < left.written ? ['the "joined" bookmark holds fewer blocks than the "left" one'] : []),
  ];
}

function faultsOf(what: string, { faults, described }: DiskCheck): string[] {
  const rest = faults - described.length;
  return [...described.map((sentence) => `${what}: ${sentence}`), ...(rest > 0 ? [`${what}: and ${rest} more`] : [])];
}
