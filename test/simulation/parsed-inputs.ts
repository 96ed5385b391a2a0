// Inputs of control calls, parsed as the processes do. Movers ask the same again and again: each
// content is parsed once in a run.
import type { z } from 'zod';

export class ParsedInputs {
  readonly #known = new Map<z.ZodType, Map<string, unknown>>();

  /**
   * An input as the process that serves the call gets it. Inputs are values: nobody changes one.
   * @throws ZodError unless it fits the schema
   */
  of<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
    const ofSchema = this.#known.get(schema) ?? new Map<string, unknown>();
    this.#known.set(schema, ofSchema);
    const text = JSON.stringify(input);
    const known = ofSchema.get(text);
    // The same schema made it.
    if (known !== undefined) return known as z.output<Schema>;
    const parsed = schema.parse(input);
    ofSchema.set(text, parsed);
    return parsed;
  }
}
