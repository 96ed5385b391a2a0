// What a handler gets beside its input: a signal that aborts when nobody waits for the answer.
import type { FastifyReply } from 'fastify';
import { MoverError } from '../../contracts/errors.js';
import type { CallContext } from './handlers.js';

/**
 * The context of the call answered by `reply`; its signal aborts when the caller hangs up or
 * `cutOff` aborts.
 */
export function callContext(reply: FastifyReply, cutOff: AbortSignal): CallContext {
  const controller = new AbortController();
  const abort = (): void => controller.abort(cutOff.reason);
  cutOff.addEventListener('abort', abort, { once: true });
  reply.raw.once('close', () => {
    cutOff.removeEventListener('abort', abort);
    if (!reply.raw.writableFinished) controller.abort(new MoverError('UNREACHABLE', 'The caller has gone away.'));
  });
  return { signal: controller.signal };
}
