import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/**
 * Returns the messages of the chart's policy for the reconciler
 * (chart/templates/reconciler/guard.yaml).
 */
export function guardMessages(): readonly string[] {
  const template = readFileSync(new URL('../../../chart/templates/reconciler/guard.yaml', import.meta.url), 'utf8');
  const orAnother = /\$orAnother := "(.*?)"/.exec(template)?.[1] ?? assert.fail('guard.yaml has no $orAnother');
  return [...template.matchAll(/^ *message: (.*)$/gm)].map(([, message = '']) =>
    message.replace('{{ $orAnother }}', orAnother),
  );
}

/** Returns what the API server responds when that policy refuses a change. */
export function denied(message: string | undefined): string {
  return `pods "x" is forbidden: ValidatingAdmissionPolicy 'autoscrape-reconciler' with binding 'b' denied request: ${message}`;
}
