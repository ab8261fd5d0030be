import { OURS } from './installed-objects.ts';
import { isObject, member, own } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { defaultRules, readShipped } from '../rules/shipped.ts';

/** Rules, with a sentence on where they are from. */
export interface RulesInForce {
  readonly rules: Rules;
  readonly from: string;
}

/** The labels that the chart gives its ConfigMap of rules (chart/templates/rules.yaml). */
const SELECTOR = `${OURS},app.kubernetes.io/component=rules`;

/** Where the ConfigMap is by the chart's README, for those who must not list ConfigMaps everywhere. */
const USUAL_PATH = '/api/v1/namespaces/autoscrape/configmaps/autoscrape-rules';

/**
 * Returns the rules in the chart's ConfigMap, the shipped ones where there is none or it can't be read, or a sentence where
 * it has rules that this version can't read.
 */
export async function rulesInForce(
  kube: Pick<Kube, 'request'>,
  signal: AbortSignal,
): Promise<Result<RulesInForce, string>> {
  const found: unknown[] = [];
  const source = { path: '/api/v1/configmaps', query: { labelSelector: SELECTOR } };
  const listed = await listAll(kube, source, (item) => found.push(item), signal);
  if (!listed.ok) {
    const usual = await kube.request({ method: 'GET', path: USUAL_PATH, signal });
    if (usual.ok) found.push(usual.value);
  }
  const maps = found.flatMap(readMap).toSorted((a, b) => (a.place < b.place ? -1 : 1));
  const [first, ...others] = maps;
  if (first === undefined) {
    const why = listed.ok ? 'the cluster has no ConfigMap of the chart' : listed.error.message;
    return { ok: true, value: { rules: defaultRules(), from: `Rules: those of this version, because ${why}.` } };
  }
  const parsed = parseRules(first.text, readShipped());
  if (!parsed.ok) {
    const problems = renderProblems(`ConfigMap ${first.place}`, parsed.error);
    return { ok: false, error: `invalid rules in the cluster; --rules FILE takes others:\n${problems}` };
  }
  const more = others.length === 0 ? '' : `; not those of ${others.map(({ place }) => place).join(', ')}`;
  return { ok: true, value: { rules: parsed.value.rules, from: `Rules: ConfigMap ${first.place}${more}.` } };
}

function readMap(object: unknown): { readonly place: string; readonly text: string }[] {
  const metadata = member(object, 'metadata');
  const text = member(member(object, 'data'), 'rules.yaml');
  if (!isObject(metadata) || typeof text !== 'string') return [];
  return [{ place: `${String(own(metadata, 'namespace'))}/${String(own(metadata, 'name'))}`, text }];
}
