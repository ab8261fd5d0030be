import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';

// Relabelling as Prometheus does it: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/** The rule that drops a target. */
export interface DroppingRule {
  /** Its place in relabel_configs, from 1. */
  readonly place: number;
  /** The rule as one line of YAML. */
  readonly rule: string;
  /** What its source labels have, joined by its separator. */
  readonly value: string;
  readonly sourceLabels: readonly string[];
}

/** Returns the first rule of the job that drops a target with these labels, or undefined where none does. */
export function droppingRule(job: JsonObject, discovered: Labels): DroppingRule | undefined {
  let labels: Record<string, string> = { ...discovered };
  for (const [index, rule] of objectsIn(job, 'relabel_configs').entries()) {
    const next = apply(rule, labels);
    if (next === undefined) {
      const sourceLabels = sourceLabelsOf(rule);
      return { place: index + 1, rule: renderRule(rule), value: valueOf(rule, labels), sourceLabels };
    }
    labels = next;
  }
  return undefined;
}

/** Returns the labels after the rule, or undefined where it drops the target. A rule that can't be read changes nothing. */
function apply(rule: JsonObject, labels: Labels): Record<string, string> | undefined {
  const action = (text(rule['action']) || 'replace').toLowerCase();
  const value = valueOf(rule, labels);
  const target = text(rule['target_label']);
  const pattern = compiled(typeof rule['regex'] === 'string' ? rule['regex'] : scalar(rule['regex'] ?? '(.*)'));
  if (pattern === undefined) return { ...labels };
  const replacement = typeof rule['replacement'] === 'string' ? rule['replacement'] : '$1';
  switch (action) {
    case 'drop':
      return pattern.matches(value) ? undefined : { ...labels };
    case 'keep':
      return pattern.matches(value) ? { ...labels } : undefined;
    // vmagent's own: https://docs.victoriametrics.com/victoriametrics/relabeling/
    case 'keep_if_equal':
      return areEqual(rule, labels) ? { ...labels } : undefined;
    case 'drop_if_equal':
      return areEqual(rule, labels) ? undefined : { ...labels };
    case 'dropequal':
      return (labels[target] ?? '') === value ? undefined : { ...labels };
    case 'keepequal':
      return (labels[target] ?? '') === value ? { ...labels } : undefined;
    case 'replace': {
      const made = expand(pattern, value, replacement);
      const name = expand(pattern, value, target);
      return made === undefined || name === undefined ? { ...labels } : withLabel(labels, name, made);
    }
    case 'lowercase':
      return withLabel(labels, target, value.toLowerCase());
    case 'uppercase':
      return withLabel(labels, target, value.toUpperCase());
    case 'hashmod': {
      const hash = createHash('md5').update(value).digest().readBigUInt64BE(8);
      const modulus = BigInt(Number(rule['modulus']) || 1);
      return withLabel(labels, target, String(hash % modulus));
    }
    case 'labelmap': {
      const mapped: Record<string, string> = { ...labels };
      for (const [name, held] of Object.entries(labels)) {
        const to = expand(pattern, name, replacement);
        if (to !== undefined) mapped[to] = held;
      }
      return mapped;
    }
    case 'labeldrop':
      return Object.fromEntries(Object.entries(labels).filter(([name]) => !pattern.matches(name)));
    case 'labelkeep':
      return Object.fromEntries(Object.entries(labels).filter(([name]) => pattern.matches(name)));
    default:
      return { ...labels };
  }
}

function areEqual(rule: JsonObject, labels: Labels): boolean {
  return new Set(sourceLabelsOf(rule).map((name) => labels[name] ?? '')).size <= 1;
}

function withLabel(labels: Labels, name: string, value: string): Record<string, string> {
  if (name === '') return { ...labels };
  const { [name]: _, ...others } = labels;
  return value === '' ? others : { ...others, [name]: value };
}

function sourceLabelsOf(rule: JsonObject): string[] {
  const names = rule['source_labels'];
  return Array.isArray(names) ? names.map(text) : [];
}

function valueOf(rule: JsonObject, labels: Labels): string {
  const separator = typeof rule['separator'] === 'string' ? rule['separator'] : ';';
  return sourceLabelsOf(rule)
    .map((name) => labels[name] ?? '')
    .join(separator);
}

/** Patterns are anchored, and their dot takes line breaks too. */
function compiled(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(`^(?s:${source})$`);
  } catch {
    return undefined;
  }
}

/** Returns the template with the groups of the match, or undefined where the value does not match. */
function expand(pattern: RE2JS, value: string, template: string): string | undefined {
  const matcher = pattern.matcher(value);
  if (!matcher.matches()) return undefined;
  return template.replaceAll(
    /\$(?:(\d+)|\{(\d+)\}|\$)/g,
    (whole, plain: string | undefined, braced: string | undefined) => {
      const number = plain ?? braced;
      if (number === undefined) return whole === '$$' ? '$' : whole;
      return Number(number) <= matcher.groupCount() ? (matcher.group(Number(number)) ?? '') : '';
    },
  );
}

function renderRule(rule: JsonObject): string {
  const { action, source_labels: _, regex, target_label: target } = rule;
  const parts = [
    `action: ${scalar(action ?? 'replace')}`,
    `source_labels: [${sourceLabelsOf(rule).join(', ')}]`,
    ...(typeof target === 'string' && target !== '' ? [`target_label: ${target}`] : []),
    ...(regex === undefined ? [] : [`regex: ${scalar(regex)}`]),
  ];
  return parts.join(', ');
}

/** YAML reads an unquoted `true` or `8080` as something else than a string. */
function scalar(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
