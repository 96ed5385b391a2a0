// S1: the documents: forms, errors, callers.
import { ERRORS, type ErrorCode, problemSchema } from '../../../contracts/errors.js';
import { expectAnswer, expectEqual, expectThat } from '../../expectations.js';
import { Skipped } from '../../finding.js';
import type { SplitterBench } from '../bench.js';
import type { SplitterCheck } from './check.js';

/** A request outside the typed client, so that a wrong one can be sent. */
async function raw({ url, token, patienceMs }: SplitterBench, path: string, init: RequestInit = {}) {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { 'content-type': 'application/json', ...authorization };
  const signal = AbortSignal.timeout(patienceMs);
  const response = await fetch(`${url.replace(/\/+$/, '')}${path}`, { headers, signal, ...init });
  const body: unknown = await response.json().catch(() => undefined);
  return { status: response.status, type: response.headers.get('content-type') ?? '', body };
}

async function expectProblem(
  bench: SplitterBench,
  code: ErrorCode,
  path: string,
  init: RequestInit = {},
): Promise<void> {
  const sent = `${init.method ?? 'GET'} ${path}`;
  const { status, type, body } = await raw(bench, path, init);
  const problem = problemSchema.safeParse(body);
  expectThat(problem.success && type.startsWith('application/problem+json'), sent, 'application/problem+json', {
    type,
    body,
  });
  expectEqual(sent, { status: ERRORS[code].status, code }, { status, code: problem.data?.code });
}

export const documentChecks: readonly SplitterCheck[] = [
  {
    clause: 'S1.1',
    run: async (bench) => {
      const health = await expectAnswer('health', bench.calls.health({}));
      expectEqual('health', { role: 'splitter', id: bench.before.splitter }, { role: health.role, id: health.id });
      const { splitter, volumes } = await expectAnswer('inventory', bench.calls.inventory({}));
      expectEqual('inventory', bench.before.splitter, splitter);
      const named = volumes.filter(({ volume }) => volume === bench.site.volume).length;
      expectThat(named === 1, 'inventory', 'the volume, once', `it ${named} times`);
    },
  },
  {
    clause: 'S1.2',
    run: async (bench) => {
      await expectProblem(bench, 'ROUTE_NOT_FOUND', '/v1/no-such-path');
      await expectProblem(bench, 'VOLUME_NOT_FOUND', '/v1/volumes?volume=conformance-no-such-volume');
      await expectProblem(bench, 'INVALID_REQUEST', '/v1/attempts/fence', { method: 'POST', body: '{"attempt":1}' });
      const notice = bench.noticeOf(bench.nextAttempt());
      const unknownField = JSON.stringify({ ...notice, unknown: true });
      await expectProblem(bench, 'INVALID_REQUEST', '/v1/attempts/notify', { method: 'POST', body: unknownField });
      const { notice: kept } = await bench.describe();
      expectThat(kept === undefined, 'notify with an unknown field', 'no notice', kept);
    },
  },
  {
    clause: 'S1.3',
    run: async (bench) => {
      if (bench.token === undefined) throw new Skipped('no token was given');
      const headers = { 'content-type': 'application/json' };
      await expectProblem(bench, 'UNAUTHORIZED', '/v1/volumes', { headers });
      const body = JSON.stringify(bench.noticeOf(bench.nextAttempt()));
      await expectProblem(bench, 'UNAUTHORIZED', '/v1/attempts/notify', { method: 'POST', body, headers });
    },
  },
];
