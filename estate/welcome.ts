// The text of `npm start` once everything runs: addresses, and what to try next.
import type { Estate } from '../contracts/estate.js';

export interface WelcomeOptions {
  readonly estate: Estate;
  /** Path as the user would type it. */
  readonly estateFile: string;
  readonly logs: string;
  readonly temporalUiUrl: string | undefined;
}

export function welcome({ estate, estateFile, logs, temporalUiUrl }: WelcomeOptions): string {
  const [splitter] = estate.splitters;
  const [volume] = splitter?.volumes ?? [];
  const target = estate.groups.find(({ id }) => id !== volume?.group);
  const option = estateFile === '.estate/estate.json' ? '' : ` --estate ${estateFile}`;
  const command = (words: string): string => `  npm run volume-mover -- ${words}${option}`;
  return [
    '',
    ...(temporalUiUrl === undefined ? [] : [`Temporal UI   ${temporalUiUrl}`]),
    `Estate file   ${estateFile}`,
    `Logs          ${logs}`,
    '',
    'To try next, in another terminal:',
    command('volumes'),
    ...(volume === undefined || target === undefined
      ? []
      : [command(`move ${volume.id} --to ${target.id}`), command(`points ${volume.id}`)]),
    ...(volume === undefined || splitter === undefined
      ? []
      : [
          command(`recover ${volume.id} --to ${volume.id}.img`),
          `  nbdinfo nbd://${splitter.nbd.host}:${splitter.nbd.port}/${volume.id}     (a guest's disk: any NBD client will do)`,
        ]),
    '',
    'Ctrl-C stops everything; the next start continues from there.',
  ].join('\n');
}
