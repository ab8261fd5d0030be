import type { AnnotationKeys } from '../core/annotations/scrape-keys.ts';
import type { Candidate } from '../core/explain.ts';
import { MARKER_KEY } from '../core/annotations/marker.ts';
import { WHY_LEFT } from '../core/additional-endpoints.ts';
import type { Endpoint } from '../core/rules/endpoint.ts';
import { PRECEDENCES } from '../core/rules/precedence.ts';
import type { Rules } from '../core/rules/parse.ts';
import { qualifiedKind } from '../manifest/kinds.ts';
import type { Workload } from '../manifest/workload.ts';
import type { Examined, ExaminedInFull } from './examine.ts';
import { cut, paint, visible, wrap } from './terminal-text.ts';
import { EXPLAINED_REASONS } from './unselected.ts';
import type { Outcome } from './unselected.ts';

const INDENT = ' '.repeat(6);

/** How an explanation is printed. */
export interface TextStyle {
  /** The width of the terminal. */
  readonly columns: number;
  /** Whether each port is shown, with what each rule says about it. */
  readonly verbose: boolean;
  /** Whether the file and the line of the workload are shown. */
  readonly withFile: boolean;
}

/**
 * Returns the explanation of a workload for a person: first the decision, why, and what to do; then the annotations,
 * warnings and notes; where `verbose`, each port.
 */
export function renderExplanation(examined: ExaminedInFull, rules: Rules, style: TextStyle): string {
  const { decision, candidates, warnings, notes, advice } = examined;
  const { columns, verbose, withFile } = style;
  const [first, ...others] = advice.sentences;
  const lines = [headline(examined) + (withFile ? paint('dim', `  ${placeOf(examined)}`) : '')];
  lines.push(...wrap(reason(examined), columns));
  if (first !== undefined) lines.push(...wrap(`To do: ${lowerFirst(first)}`, columns, '  ', INDENT));
  for (const sentence of others) lines.push(...wrap(sentence, columns, '  ', INDENT));
  lines.push(...renderWarnings(warnings, columns, '  '));
  if (decision.outcome === 'annotate') {
    for (const [key, value] of Object.entries(decision.annotations)) {
      lines.push(
        paint('green', key === MARKER_KEY ? `  + ${key}, which records these` : `  + ${key}: ${asYaml(value)}`),
      );
    }
    if (decision.confirm) {
      const [{ port, path }] = decision.endpoints;
      lines.push(visible(`  Rule ${decision.rule} only hints: where asking is on, :${port}${path} is asked first.`));
    }
  }
  for (const { what, yaml } of advice.snippets) {
    lines.push(
      ...wrap(`${what}:`, columns),
      ...yaml
        .trimEnd()
        .split('\n')
        .map((line) => visible(`    ${line}`)),
    );
  }
  for (const note of notes) lines.push(...wrap(note, columns));
  if (verbose) lines.push(...renderPorts(candidates, decision, rules, columns));
  return `${lines.join('\n')}\n`;
}

/** Returns the value as it can be written into YAML. */
function asYaml(value: string): string {
  return value.includes('"') ? `'${value.replaceAll("'", "''")}'` : `"${value}"`;
}

/** Returns the warnings, each with a mark. That they are autoscrape's is known here. */
export function renderWarnings(warnings: readonly string[], columns: number, indent: string): string[] {
  return warnings
    .flatMap((warning) => wrap(`! ${warning.replace(/^autoscrape: /, '')}`, columns, indent, `${indent}  `))
    .map((line) => paint('yellow', line));
}

/** Returns where the workload is written, such as `k8s/shop.yaml:12`; nothing for one of a cluster. */
export function placeOf({ file, workload }: Pick<Examined, 'file' | 'workload'>): string {
  return file === '' ? '' : visible(`${file}:${workload.line}`);
}

/** Returns what the workload is called: its kind, namespace and name, and which of several pod templates it is. */
export function titleOf({ apiVersion, kind, namespace, name, template, isOneOfSeveral }: Workload): string {
  const path = [namespace, name].filter((part) => part !== '').join('/');
  const part = isOneOfSeveral ? ` (${template})` : '';
  return `${qualifiedKind(apiVersion, kind)} ${path}`.trimEnd() + part;
}

/** Returns what names a rule in a sentence. */
export function naming(rule: string): string {
  return rule === 'annotation' || rule === 'label' ? `its own ${rule}` : `rule ${rule}`;
}

function headline({ workload, decision, optIn }: Examined): string {
  const title = paint('bold', titleOf(workload));
  if (decision.outcome === 'annotate' && optIn === 'never')
    return `${title}: ${paint('cyan', `would be annotated by ${naming(decision.rule)}, but never in this namespace`)}`;
  if (decision.outcome === 'annotate')
    return `${title}: ${paint('green', `would be annotated by ${naming(decision.rule)}`)}`;
  const rule = decision.rule === undefined ? '' : `, rule ${decision.rule}`;
  return `${title}: ${paint('cyan', `skipped (${decision.reason}${rule})`)}`;
}

/** Returns the target that the pod becomes, or why it becomes none. */
function reason({ decision, candidates }: ExaminedInFull): string {
  if (decision.outcome === 'annotate') {
    const [first, ...others] = decision.endpoints;
    const because = decision.because === undefined ? '' : `, because ${PRECEDENCES[decision.because]}`;
    const further = others.filter(({ left }) => left === undefined);
    const also = further.length === 0 ? '' : ` Also targets: ${further.map(target).join('; ')}.`;
    return `Its ${further.length === 0 ? '' : 'first '}target: ${target(first)}${because}.${also}`;
  }
  const none =
    decision.reason === 'no_candidate' && candidates.length === 0
      ? ' No container declares a port, and no rule finds one in arguments or variables.'
      : '';
  return EXPLAINED_REASONS[decision.reason] + none;
}

function target({ container, port, path, scheme }: Endpoint): string {
  return `:${port}${path}${scheme === 'https' ? ' (https)' : ''}${container === '' ? '' : `, of container ${container}`}`;
}

function renderPorts(candidates: readonly Candidate[], decision: Outcome, rules: Rules, columns: number): string[] {
  const lines: string[] = [];
  const about = candidates.map(({ port, name, container }) =>
    visible(
      `  port ${Number.isNaN(port) ? '(not a number)' : port}${name === '' ? '' : ` ${name}`}, container ${container}`,
    ),
  );
  const width = Math.max(0, ...about.map((text) => text.length));
  for (const [i, candidate] of candidates.entries()) {
    lines.push(`${about[i]?.padEnd(width) ?? ''}  ${verdict(candidate, decision, rules.annotationKeys)}`);
    const notMatched = renderNotMatched(candidate, decision, rules, columns);
    const next = candidates[i + 1];
    // Ports with the same reasons share one list, below the last of them.
    const isSaidBelow =
      next !== undefined && renderNotMatched(next, decision, rules, columns).join() === notMatched.join();
    if (!isSaidBelow) lines.push(...notMatched.map((line) => paint('dim', line)));
  }
  return lines;
}

function verdict({ container, port, excluded, matched }: Candidate, decision: Outcome, keys: AnnotationKeys): string {
  if (excluded !== undefined) return paint('dim', excluded);
  const endpoint = decision.outcome === 'annotate' ? decision.endpoints[0] : undefined;
  if (decision.outcome === 'annotate' && endpoint?.port === port && endpoint.container === container) {
    // A path that the user wrote is not among the added annotations, and may differ from the rule's.
    const path = decision.annotations[keys.path] ?? 'the path as annotated';
    return paint('green', `matched by ${naming(decision.rule)}: ${endpoint.scheme}, ${path}`);
  }
  const decided = decision.outcome === 'annotate' ? decision.endpoints.find((each) => each.port === port) : undefined;
  if (decided !== undefined) {
    const found = visible(`matched by ${naming(decided.rule)}: ${decided.scheme}, ${decided.path}`);
    return decided.left === undefined ? paint('green', found) : `${found}, but ${WHY_LEFT[decided.left].because}`;
  }
  const [first] = matched;
  if (first === undefined) return 'no rule matches';
  const found = visible(`${first.rule} matches (${first.scheme}, ${first.path})`);
  if (endpoint === undefined) return found;
  return `${found}, but ${decision.rule ?? ''} comes first`;
}

/**
 * Returns the rules that come before the one that decided and do not match the port. Where no rule
 * matches anything, each has its reason; otherwise only their names are listed.
 */
function renderNotMatched(
  { excluded, notMatched }: Candidate,
  decision: Outcome,
  rules: Rules,
  columns: number,
): string[] {
  const foundNothing = decision.outcome === 'skip' && decision.reason === 'no_candidate';
  if (excluded !== undefined || (!foundNothing && decision.rule === undefined)) return [];
  const decider = rules.rules.findIndex(({ name }) => name === decision.rule);
  const evaluated = foundNothing ? rules.rules : rules.rules.slice(0, Math.max(0, decider));
  // A rule with `exclude` never finds a port, so that it does not match explains nothing.
  const finders = new Set(evaluated.filter(({ exclude }) => exclude === undefined).map(({ name }) => name));
  const shown = notMatched.filter(({ rule }) => finders.has(rule));
  if (!foundNothing) {
    const names = shown.map(({ rule }) => rule).join(', ');
    return names === '' ? [] : wrap(`earlier rules, not matched: ${names}`, columns, INDENT);
  }
  const width = Math.max(0, ...shown.map(({ rule }) => rule.length));
  return shown.map(({ rule, because }) => cut(`${INDENT}${rule.padEnd(width)}  ${because}`, columns));
}

/** `Set it` becomes `set it`; a word in capitals stays. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
