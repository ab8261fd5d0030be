import { isDnsLabel } from '../core/annotations/dns-label.ts';
import { createHash } from 'node:crypto';
import { Document, isMap, isSeq } from 'yaml';
import { evaluateRules } from '../core/rules/evaluate-rules.ts';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Shipped } from '../core/rules/parse.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Result } from '../core/result.ts';
import type { LabelSelector } from '../core/rules/selector.ts';
import type { Workload } from './workload.ts';

/** A rule as a rules file has it. */
export interface LearnedRule {
  readonly name: string;
  readonly when: {
    readonly namespace: string;
    readonly podLabels?: LabelSelector;
    readonly container?: string;
    readonly image?: string;
    readonly portNumber?: number;
  };
  readonly unless?: { readonly portName: string };
  readonly scrape?: { readonly port?: number; readonly path: string };
  readonly exclude?: true;
}

/** By what a rule finds the pods of a workload: labels, or the image where it has none. */
export type Identity = { readonly podLabels: LabelSelector } | { readonly image: string };

/** Where a workload has its metrics. */
export interface LearnedEndpoint {
  readonly container: string;
  readonly port: number;
  /** Whether the container declares the port. */
  readonly declared: boolean;
  readonly path: string;
}

/**
 * Returns the rule for a workload: where its metrics are, or that it has none. The rule ends to
 * match when the container no longer declares the port, so that it is asked again.
 */
export function learnedRule(
  namespace: string,
  { kind, name }: Workload,
  identity: Identity,
  endpoint: LearnedEndpoint | undefined,
): LearnedRule {
  const common = { name: ruleName(namespace, kind, name) };
  if (endpoint === undefined)
    return { ...common, when: { namespace, ...escaped(identity) }, unless: HAS_METRICS, exclude: true };
  const { container, port, declared, path } = endpoint;
  const when = { namespace, ...escaped(identity), container };
  return declared
    ? { ...common, when: { ...when, portNumber: port }, scrape: { path } }
    : { ...common, when, scrape: { port, path } };
}

/** So that a refusal is not the last word when a later version names a port so. */
const HAS_METRICS = { portName: '(.*-)?(metrics|prometheus)(-.*)?' };

/** Conditions are patterns, and only images have a character with a meaning there. */
function escaped(identity: Identity): Identity {
  return 'image' in identity ? { image: identity.image.replaceAll('.', String.raw`\.`) } : identity;
}

const MAX_NAME = 63;

/** Returns a name that no other workload of any namespace gets, and no shipped rule has. */
function ruleName(namespace: string, kind: string, name: string): string {
  const whole = `learned-${namespace}-${kind.toLowerCase()}-${name}`;
  if (whole.length <= MAX_NAME) return whole;
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  return `${whole.slice(0, MAX_NAME - 1 - hash.length)}-${hash}`;
}

/**
 * Returns whether the names, labels and image in the rule are such as Kubernetes accepts, so that
 * they can be printed: a pod chose some of them.
 */
export function isPrintable(namespace: string, { kind, name }: Workload, rule: LearnedRule): boolean {
  const { podLabels, container, image } = rule.when;
  const labels = Object.entries(podLabels?.matchLabels ?? {}).flat();
  return (
    [namespace, name, ...(container === undefined ? [] : [container])].every(isDnsLabel) &&
    /^[A-Za-z]{1,63}$/.test(kind) &&
    labels.every((text) => /^[\w./-]{0,317}$/.test(text)) &&
    (image === undefined || /^[\w./:\\-]{1,1024}$/.test(image))
  );
}

/**
 * Returns what says whether the rule finds a pod of the namespace, or excludes one; undefined where
 * it is no valid rule.
 */
export function finderOf(
  rule: LearnedRule,
  namespace: string,
  shipped: Shipped,
): ((pod: unknown) => boolean) | undefined {
  const parsed = parseRules(JSON.stringify({ extends: 'none', rules: [rule] }), shipped);
  if (!parsed.ok) return undefined;
  const { rules } = parsed.value;
  return (object) => {
    const pod = readPod(object, undefined, namespace);
    return pod !== undefined && evaluateRules(pod, rules).kind !== 'nothing';
  };
}

/**
 * Returns a rules file with the learned rules and a comment, or why `check` would not accept it,
 * such as for its length.
 */
export function renderLearned(
  rules: readonly LearnedRule[],
  about: readonly string[],
  shipped: Shipped,
): Result<string, string> {
  const document = new Document({ rules });
  document.commentBefore = about.map((line) => ` ${line}`).join('\n');
  const list: unknown = document.get('rules', true);
  for (const rule of isSeq(list) ? list.items.slice(1) : []) if (isMap(rule)) rule.spaceBefore = true;
  const text = document.toString({ lineWidth: 0 });
  const parsed = parseRules(text, shipped);
  const problems = parsed.ok ? parsed.value.warnings : parsed.error;
  return problems.length === 0
    ? { ok: true, value: text }
    : { ok: false, error: renderProblems('the learned rules', problems) };
}
