// The worker's connection to Temporal. An estate starts both at the same time, so the first tries
// may come too early.
import { NativeConnection } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerLog } from './logging.js';
import type { TemporalSettings } from '../control/temporal-settings.js';

/** How long a starting worker waits for Temporal, ms. A database's first start takes a minute. */
const CONNECT_WAIT_MS = 5 * 60_000;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;
/** Longest wait for one answer to a check of Temporal, ms. */
const CHECK_TIMEOUT_MS = 1_000;

/**
 * Failures that no further try mends, in the words of the SDK's core, which gives no codes: what
 * they mean, and what to do.
 */
const REFUSALS: readonly { readonly words: RegExp; readonly advice: (keySetting: string) => string }[] = [
  {
    words: /valid authentication credentials|permission to execute/,
    advice: (keySetting) =>
      `the server refuses this worker: check ${keySetting}, the certificate and TEMPORAL_NAMESPACE`,
  },
  {
    words: /InvalidContentType/,
    advice: (keySetting) =>
      `the server speaks no TLS: take out ${keySetting} and the settings of TLS, or set TEMPORAL_ADDRESS`,
  },
  {
    words: /InvalidCertificate|invalid peer certificate/,
    advice: () =>
      "the server's certificate is not accepted: name its authority by TEMPORAL_TLS_SERVER_CA_CERT_PATH, or its name by TEMPORAL_TLS_SERVER_NAME",
  },
  {
    words: /AlertReceived|received fatal alert/,
    advice: () =>
      "the server does not accept this worker's certificate: check TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH",
  },
  {
    words: /KeyParseError|CertificateParseError|targetUrl|InvalidUri/,
    advice: () => 'the SDK does not accept the settings: check TEMPORAL_ADDRESS, the certificate and its key',
  },
];

/**
 * Tries until Temporal answers. Only what may pass is tried again.
 * @throws Error naming the address and the last failure, at once when the server or the SDK refuses
 * the settings; the signal's reason when it aborts.
 */
export async function connectToTemporal(
  { connection, keySetting = 'TEMPORAL_API_KEY' }: TemporalSettings,
  log: Pick<WorkerLog, 'warn'>,
  signal: AbortSignal,
): Promise<NativeConnection> {
  const { address } = connection;
  const deadlineMs = performance.now() + CONNECT_WAIT_MS;
  for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    try {
      return await NativeConnection.connect(connection);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const refusal = REFUSALS.find(({ words }) => words.test(cause));
      if (refusal !== undefined)
        throw new Error(`Temporal at ${address} can't be used: ${refusal.advice(keySetting)}. In its words: ${cause}`, {
          cause: error,
        });
      if (performance.now() > deadlineMs) {
        throw new Error(
          `Temporal at ${address} did not answer for ${CONNECT_WAIT_MS / 1_000} s; set TEMPORAL_ADDRESS, or start it. The last failure: ${cause}`,
          { cause: error },
        );
      }
      log.warn({ address, cause, nextTryInMs: pauseMs }, `Temporal at ${address} does not answer yet`);
      await delay(pauseMs, undefined, { signal });
    }
  }
}

/** Why Temporal can't be used now, as a sentence; undefined when it can. */
export async function temporalTrouble(
  connection: NativeConnection,
  { connection: { address }, namespace }: TemporalSettings,
): Promise<string | undefined> {
  try {
    await connection.withDeadline(Date.now() + CHECK_TIMEOUT_MS, async () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return undefined;
  } catch (error) {
    return `Temporal at ${address} does not answer for namespace "${namespace}": ${error instanceof Error ? error.message : String(error)}`;
  }
}
