// The gate of a control server: finds who calls, and whether they may.
import type { IncomingMessage } from 'node:http';
import { MoverError } from '../../contracts/errors.js';
import { mayCall, type Role } from '../../contracts/roles.js';
import { isLoopback } from '../../control/loopback.js';
import type { Access, ListenAddress } from './access.js';
import type { Caller } from './callers.js';
import { shownCertificate } from './shown-certificate.js';

/** What is called, and the roles of which one is needed. None: anybody may call. */
export interface Rule {
  readonly operation: string;
  readonly roles: readonly Role[];
}

export class Gate {
  readonly #server: string;
  readonly #access: Access;
  readonly #needsCertificate: boolean;

  /** @param server its name in refusals. @example "splitter host-1" */
  constructor(server: string, access: Access, { host, tls = false }: ListenAddress) {
    this.#server = server;
    this.#access = access;
    this.#needsCertificate = tls && !isLoopback(host);
  }

  /** @throws MoverError UNAUTHORIZED */
  identify({ headers: { authorization }, socket }: IncomingMessage): Caller {
    const shown = { authorization, certificate: shownCertificate(socket) };
    const found = this.#access.callers.identify(shown, this.#needsCertificate);
    if (!('refusal' in found)) return found;
    throw new MoverError('UNAUTHORIZED', `The ${this.#server} refused the caller: ${found.refusal}.`);
  }

  /** @throws MoverError FORBIDDEN */
  permit({ name, roles }: Caller, rule: Rule): void {
    if (mayCall(roles, rule.roles)) return;
    const needed = rule.roles.join(' or ');
    throw new MoverError(
      'FORBIDDEN',
      `${name} may not call ${rule.operation} of the ${this.#server}: that takes the role ${needed}, and ${name} has ${roles.join(', ')}.`,
    );
  }
}
