import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

const parsed = parseRules('', readShipped());
assert.ok(parsed.ok);
const { rules } = parsed.value;

/** The port that most applications have. */
export const HTTP = { name: 'http', containerPort: 8080 };

/** One container; `env` is `NAME=value`. */
interface Said {
  readonly name?: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly ports?: readonly object[];
  readonly probe?: object;
  /** Variables whose values come from a Secret. */
  readonly secrets?: readonly string[];
  /** The pod's labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Returns `:PORT/PATH`, with `https` and `?` behind it where the rule only hints; or the reason. */
function decisionOn(said: Said): string {
  const {
    name = 'app',
    image = 'registry.example/app:1',
    args,
    env = [],
    secrets = [],
    ports,
    probe,
    labels = {},
  } = said;
  const container = {
    name,
    image,
    args,
    ports,
    env: [
      ...env.map((text) => ({ name: text.slice(0, text.indexOf('=')), value: text.slice(text.indexOf('=') + 1) })),
      ...secrets.map((variable) => ({ name: variable, valueFrom: { secretKeyRef: { name: 's', key: 'k' } } })),
    ],
    ...(probe && { readinessProbe: { httpGet: probe } }),
  };
  const decision = decide({ metadata: { labels }, spec: { containers: [container] } }, rules);
  if (decision.outcome === 'skip') return decision.reason;
  const [{ port, path, scheme }] = decision.endpoints;
  return `:${port}${path}${scheme === 'https' ? ' https' : ''}${decision.confirm ? ' ?' : ''}`;
}

/** Tests each case, which stands beside its opposite. */
export function cases(title: string, list: readonly (readonly [says: string, said: Said, want: string])[]): void {
  suite(title, () => {
    for (const [says, said, want] of list)
      test(`${says}: ${want}`, () => {
        assert.equal(decisionOn(said), want);
      });
  });
}

/** A port whose name says metrics. */
export const METRICS = { name: 'metrics', containerPort: 9100 };
