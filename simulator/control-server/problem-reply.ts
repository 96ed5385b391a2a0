// Answers failed requests with problem+json; no other place does.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { toProblem } from '../../contracts/errors.js';
import { failureOf } from './failure.js';

export type ReplyWithProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Makes the error handler. It logs an unforeseen error with its stack, and answers without it. */
export function problemReply(log: Logger): ReplyWithProblem {
  return (error, request, reply) => {
    const failure = failureOf(error, request.id);
    const { id: requestId, method, url } = request;
    if (failure.code === 'INTERNAL') log.error({ err: error, requestId, method, url }, 'request failed');
    if (failure.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
    const problem = toProblem(failure);
    void reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem);
  };
}
