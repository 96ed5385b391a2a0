// The SDK's client for the estate as a whole: how its file differs from what runs, and what makes
// both the same.
import type { Ports } from '../../control/ports.js';
import type { Estate } from '../../contracts/estate.js';
import { type ApplyOrder, applyEstate, type EstateApplied } from './apply-estate.js';
import { compareEstate, type EstatePlan } from './compare-estate.js';
import { situationOf } from './situation.js';

export interface EstateClient {
  /**
   * Compares a declaration with what splitters, appliances and replica site have. Changes nothing.
   * @param declaration default: the estate that the client was made with
   */
  plan(declaration?: Estate): Promise<EstatePlan>;
  /**
   * Makes what runs as a declaration says, step by step, while everything runs. Every step is asked
   * for first; if one is refused, none is made. What would end protection is done only for the
   * volumes and groups that `retire` names. Safe to repeat, after a kill too.
   * @param order default declaration: the estate that the client was made with
   * @throws CHANGE_REFUSED with every reason
   */
  apply(order?: ApplyOrder): Promise<EstateApplied>;
}

/** @param portsOf makes ports for processes that only a declaration has */
export function createEstateClient(
  ports: Ports,
  estate: Estate,
  portsOf: (estate: Pick<Estate, 'appliances' | 'splitters'>) => Ports,
): EstateClient {
  const reaching = (declaration: Estate): Ports => withDeclared(ports, declaration, portsOf);
  return {
    plan: async (declaration = estate) =>
      compareEstate(declaration, await situationOf(reaching(declaration), declaration)),
    apply: async ({ declaration = estate, ...order } = {}) =>
      applyEstate(reaching(declaration), { ...order, declaration }),
  };
}

/** Also reaches the processes that the client's own estate does not have. */
function withDeclared(
  ports: Ports,
  { appliances, splitters }: Estate,
  portsOf: (estate: Pick<Estate, 'appliances' | 'splitters'>) => Ports,
): Ports {
  const added = portsOf({
    appliances: appliances.filter(({ id }) => !ports.appliances.has(id)),
    splitters: splitters.filter(({ id }) => !ports.splitters.has(id)),
  });
  return {
    appliances: new Map([...ports.appliances, ...added.appliances]),
    splitters: new Map([...ports.splitters, ...added.splitters]),
  };
}
