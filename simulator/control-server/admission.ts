// Lets callers in. Records in the audit each refused caller, each stream, and each call that
// changes something.
import type { IncomingMessage } from 'node:http';
import type { AuditEntry } from '../../contracts/audit.js';
import { MoverError } from '../../contracts/errors.js';
import type { Operation } from '../../contracts/route.js';
import type { AuditLog } from './audit/audit-log.js';
import type { Caller } from './callers.js';
import type { Gate, Rule } from './gate.js';

/** A call that was let in. */
interface AdmittedCall {
  readonly name: string;
  readonly operation: Pick<Operation, 'method' | 'routine'>;
  readonly input: unknown;
}

export class Admission {
  readonly #gate: Gate;
  readonly #audit: AuditLog | undefined;
  readonly #callers = new WeakMap<IncomingMessage, Caller>();

  constructor(gate: Gate, audit: AuditLog | undefined) {
    this.#gate = gate;
    this.#audit = audit;
  }

  /** Lets the request in. @throws MoverError UNAUTHORIZED, FORBIDDEN */
  admit(request: IncomingMessage, rule: Rule): void {
    if (rule.roles.length === 0) return;
    let caller: Caller | undefined;
    try {
      caller = this.#gate.identify(request);
      this.#gate.permit(caller, rule);
      this.#callers.set(request, caller);
    } catch (error) {
      if (error instanceof MoverError) this.#record(request, rule, caller, error.code);
      throw error;
    }
  }

  /** Records a stream that was let in. */
  opened(request: IncomingMessage, rule: Rule): void {
    this.#record(request, rule, this.#callers.get(request), 'OK');
  }

  #record(
    request: IncomingMessage,
    { operation }: Rule,
    caller: Caller | undefined,
    outcome: AuditEntry['outcome'],
  ): void {
    this.#audit?.addGathered({ caller, from: addressOf(request), operation, input: undefined, outcome });
  }

  /** Makes a call that was let in, and records how it ended if it changes something. */
  async audited(
    request: IncomingMessage,
    { name, operation, input }: AdmittedCall,
    call: () => unknown,
  ): Promise<unknown> {
    if (this.#audit === undefined || operation.method === 'GET' || operation.routine === true) return call();
    const told = { caller: this.#callers.get(request), from: addressOf(request), operation: name, input };
    try {
      const answer = await call();
      this.#audit.add({ ...told, outcome: 'OK' });
      return answer;
    } catch (error) {
      this.#audit.add({ ...told, outcome: error instanceof MoverError ? error.code : 'INTERNAL' });
      throw error;
    }
  }
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'unknown';
}
