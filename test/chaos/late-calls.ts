// Calls of moves that arrive a second time, however late.
import { request } from 'undici';
import { problemSchema } from '../../contracts/errors.js';
import type { ControlCall } from '../support/control-detour.js';
import type { HeldMove, Testbed } from './testbed.js';

export interface SentCall {
  readonly url: string;
  readonly call: ControlCall;
}

/** How a late call was answered. */
export interface Told {
  readonly call: ControlCall;
  readonly answer: unknown;
  /** The code of its refusal. */
  readonly refused?: string;
  /** The call and its answer, for people. */
  readonly told: string;
}

/** The changes that a move asked for so far, with whom. */
export function callsOf({ detours }: Testbed, { workflowId }: Pick<HeldMove, 'workflowId'>): SentCall[] {
  return [...detours.values()].flatMap((detour) => {
    const own = detour.calls.filter(
      ({ path, body }) => path.startsWith('/v1/attempts/') && body.includes(`"${workflowId}@`),
    );
    return own.map((call) => ({ url: detour.url, call }));
  });
}

/** Sends a call once more. */
export async function sendLate({ url, call }: SentCall): Promise<Told> {
  const { statusCode, body } = await request(`${url}${call.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: call.body,
  });
  const answer: unknown = await body.json();
  const told = `${call.path} ${call.body} → ${JSON.stringify(answer)}`;
  return statusCode >= 400 ? { call, answer, told, refused: problemSchema.parse(answer).code } : { call, answer, told };
}

/**
 * All that a move decides: owners and attempts at the replica site, routes, notices and fences at
 * the splitter.
 */
export async function decided({ estate }: Testbed): Promise<unknown> {
  const volumes = await estate.client.volumes.list();
  return volumes.map(({ volume, group, epoch, openAttempt, splitterView }) => {
    const { route, notice, fence, mode } = splitterView ?? {};
    return {
      volume,
      group,
      epoch,
      openAttempt,
      route,
      notice,
      mode,
      fence: fence && { attempt: fence.attempt, cut: fence.cut, lapsed: fence.lapsed },
    };
  });
}
