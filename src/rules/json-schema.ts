import * as z from 'zod';
import { RulesFile } from '../core/rules/schema.ts';

/**
 * Returns the JSON Schema of a rules file, for editors. It can't say everything that is checked; `autoscrape check` does.
 */
export function rulesSchema(): object {
  return jsonSchema(RulesFile);
}

/** Returns a schema of what a user writes as JSON Schema: draft 7, the newest that every editor, and every Helm 3 and 4, reads. */
export function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    // What a user may leave out because the program has a default for it is not required.
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema: made }) => {
      // zod means "a whole number that JavaScript can hold" by them.
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum;
      if (made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum;
    },
  });
}
