// Makes zod schemas fit to be shared by the workflows of a worker.
import { z } from 'zod';

/**
 * Completes and freezes each schema among the values of `holder`, its objects and arrays.
 *
 * The SDK freezes what workflows share, and zod adds a schema's methods at their first use, which
 * fails on a frozen schema. The SDK leaves alone what is frozen already, so a schema that has all
 * of its methods and is frozen keeps the parts inside it that zod completes later. Those parts
 * depend on the schema only, so that it does not matter which workflow completes them.
 */
export function completeSchemas(holder: object, visited = new Set<object>()): void {
  if (visited.has(holder)) return;
  visited.add(holder);
  for (const value of Object.values<unknown>({ ...holder })) {
    if (value instanceof z.ZodType) complete(value);
    else if (typeof value === 'object' && value !== null) completeSchemas(value, visited);
  }
}

function complete(schema: z.ZodType): void {
  for (const name of inheritedNames(schema)) Reflect.get(schema, name);
  Object.freeze(schema);
}

/** The members that a schema takes from its prototypes: reading one makes it the schema's own. */
function inheritedNames(schema: z.ZodType): string[] {
  const names: string[] = [];
  let proto: unknown = Object.getPrototypeOf(schema);
  while (proto instanceof Object && proto !== Object.prototype) {
    names.push(...Object.getOwnPropertyNames(proto));
    proto = Object.getPrototypeOf(proto);
  }
  return names;
}
