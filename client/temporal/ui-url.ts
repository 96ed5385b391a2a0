// Where a Temporal server's web UI is. The server does not say, so people can.
import { invalidField } from '../../contracts/errors.js';
import { isTemporalCloud } from '../../control/temporal-settings.js';

/** The variable with the base URL of the web UI. */
export const UI_URL_VARIABLE = 'VOLUME_MOVER_TEMPORAL_UI_URL';

const CLOUD_UI = 'https://cloud.temporal.io';

/**
 * The base URL of the web UI: the variable's, else Temporal Cloud's for a server there, else
 * `otherwise`.
 * @throws MoverError INVALID_REQUEST when the variable holds no web address
 */
export function uiUrlOf(
  environment: NodeJS.ProcessEnv,
  address: string | undefined,
  otherwise?: string,
): string | undefined {
  const given = environment[UI_URL_VARIABLE];
  if (given !== undefined && given !== '') return checked(given);
  return address !== undefined && isTemporalCloud(address) ? CLOUD_UI : otherwise;
}

function checked(text: string): string {
  const { protocol } = URL.canParse(text) ? new URL(text) : { protocol: '' };
  if (protocol === 'http:' || protocol === 'https:') return text.replace(/\/+$/, '');
  throw invalidField(UI_URL_VARIABLE, `"${text}" is no web address: give for example https://temporal.example.com`);
}
