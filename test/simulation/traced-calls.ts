// Control calls that tell a reader what was asked and what was answered.

/** Longest description of an input or an answer, in characters. */
const BRIEF_LENGTH_MAX = 240;
/** Fields that say nothing to a reader of a trace. */
const DULL_FIELDS: ReadonlySet<string> = new Set(['url', 'resolvers', 'sizeBytes', 'retention', 'journal', 'notes']);

/** The same calls; each adds a line when it is sent, and one when its answer or error arrives. */
export function tracedCalls<C extends object>(to: string, calls: C, trace: (line: string) => void): C {
  return new Proxy(calls, {
    get(target, key): unknown {
      const call: unknown = Reflect.get(target, key);
      if (typeof call !== 'function') return call;
      return async (...given: unknown[]): Promise<unknown> => {
        const name = `${to} ${String(key)}`;
        trace(`move → ${name} ${brief(given[0])}`);
        try {
          const answer: unknown = await Reflect.apply(call, target, given);
          trace(`move ← ${name} ${brief(answer)}`);
          return answer;
        } catch (error) {
          trace(`move ← ${name} ${String(error)}`);
          throw error;
        }
      };
    },
  });
}

function brief(value: unknown): string {
  const text = textOf(value);
  return text.length > BRIEF_LENGTH_MAX ? `${text.slice(0, BRIEF_LENGTH_MAX)}…` : text;
}

/** An attempt as its name, a cut as volume and place, all else as fields. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const fields = new Map<string, unknown>(Object.entries(value));
  if (fields.has('move') && fields.has('n')) return `${textOf(fields.get('move'))}#${textOf(fields.get('n'))}`;
  if (fields.has('volume') && fields.has('session') && fields.has('n'))
    return `${textOf(fields.get('volume'))} at ${textOf(fields.get('session'))}.${textOf(fields.get('n'))}`;
  const told = [...fields].filter(([name, field]) => field !== undefined && !DULL_FIELDS.has(name));
  return `{${told.map(([name, field]) => `${name}: ${textOf(field)}`).join(', ')}}`;
}
