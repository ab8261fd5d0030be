import { styleText } from 'node:util';
import type { AnnotationKeys } from '../core/annotations/keys.ts';
import { stripControls } from '../core/control-characters.ts';
import type { Decision } from '../core/decision.ts';
import type { Candidate, Explanation } from '../core/explain.ts';
import { MARKER_KEY } from '../core/annotations/marker.ts';
import { REASONS } from '../core/skip-reason.ts';
import type { Rules } from '../core/rules/parse.ts';
import { qualifiedKind } from '../manifest/kinds.ts';
import type { Workload } from '../manifest/workload.ts';
import { whyUnreadable } from './unreadable.ts';

const COLUMNS = 100;
const INDENT = ' '.repeat(6);

/** Returns the explanation of a workload for a person: the decision, the annotations it adds, warnings, each port, notes. */
export function renderExplanation(workload: Workload, explanation: Explanation, rules: Rules): string {
  const { decision, candidates, notes } = explanation;
  const lines = [headline(workload, decision)];
  if (decision.outcome === 'annotate') {
    for (const [key, value] of Object.entries(decision.annotations)) {
      lines.push(paint('green', key === MARKER_KEY ? `  + ${key}, which records these` : `  + ${key}: "${value}"`));
    }
    if (decision.confirm) {
      const [{ port, path }] = decision.endpoints;
      lines.push(visible(`  Rule ${decision.rule} only hints: where asking is on, :${port}${path} is asked first.`));
    }
  } else {
    lines.push(`  ${REASONS[decision.reason]}`);
    if (decision.reason === 'unreadable')
      lines.push(...whyUnreadable(workload.pod).map((text) => visible(`  ${text}`)));
  }
  for (const warning of decision.warnings) lines.push(paint('yellow', `  ! ${warning}`));
  if (candidates.length === 0 && decision.outcome === 'skip' && decision.reason === 'no_candidate') {
    lines.push('  No container declares a port, and no rule finds one in arguments or variables.');
  }

  const about = candidates.map(({ port, name, container }) =>
    visible(
      `  port ${Number.isNaN(port) ? '(not a number)' : port}${name === '' ? '' : ` ${name}`}, container ${container}`,
    ),
  );
  const width = Math.max(0, ...about.map((text) => text.length));
  for (const [i, candidate] of candidates.entries()) {
    lines.push(`${about[i]?.padEnd(width) ?? ''}  ${verdict(candidate, decision, rules.annotationKeys)}`);
    const notMatched = renderNotMatched(candidate, decision, rules);
    const next = candidates[i + 1];
    // Ports with the same reasons share one list, below the last of them.
    const isSaidBelow = next !== undefined && renderNotMatched(next, decision, rules).join() === notMatched.join();
    if (!isSaidBelow) lines.push(...notMatched.map((line) => paint('dim', line)));
  }
  for (const note of notes) lines.push(...wrap(visible(note).split(' '), '  '));
  return `${lines.join('\n')}\n`;
}

function headline(workload: Workload, decision: Decision): string {
  const title = paint('bold', titleOf(workload));
  if (decision.outcome === 'annotate')
    return `${title}: ${paint('green', `would be annotated by ${naming(decision.rule)}`)}`;
  const rule = decision.rule === undefined ? '' : `, rule ${decision.rule}`;
  return `${title}: ${paint('cyan', `skipped (${decision.reason}${rule})`)}`;
}

/** Returns what the workload is called: its kind, namespace and name, and which of several pod templates it is. */
function titleOf({ apiVersion, kind, namespace, name, template, isOneOfSeveral }: Workload): string {
  const path = [namespace, name].filter((part) => part !== '').join('/');
  const part = isOneOfSeveral ? ` (${template})` : '';
  return `${qualifiedKind(apiVersion, kind)} ${path}`.trimEnd() + part;
}

function naming(rule: string): string {
  return rule === 'annotation' || rule === 'label' ? `its own ${rule}` : `rule ${rule}`;
}

function verdict({ container, port, excluded, matched }: Candidate, decision: Decision, keys: AnnotationKeys): string {
  if (excluded !== undefined) return paint('dim', excluded);
  const endpoint = decision.outcome === 'annotate' ? decision.endpoints[0] : undefined;
  if (decision.outcome === 'annotate' && endpoint?.port === port && endpoint.container === container) {
    // A path that the user wrote is not among the added annotations, and may differ from the rule's.
    const path = decision.annotations[keys.path] ?? 'the path as annotated';
    return paint('green', `matched by ${naming(decision.rule)}: ${endpoint.scheme}, ${path}`);
  }
  const [first] = matched;
  if (first === undefined) return 'no rule matches';
  const found = visible(`${first.rule} matches (${first.scheme}, ${first.path})`);
  if (endpoint === undefined) return found;
  const because =
    first.rule === decision.rule ? 'but only one port can be annotated' : `but ${decision.rule ?? ''} comes first`;
  return `${found}, ${because}`;
}

/**
 * Returns the rules that come before the one that decided and do not match the port. Where no rule
 * matches anything, each has its reason; otherwise only their names are listed.
 */
function renderNotMatched({ excluded, notMatched }: Candidate, decision: Decision, rules: Rules): string[] {
  const foundNothing = decision.outcome === 'skip' && decision.reason === 'no_candidate';
  if (excluded !== undefined || (!foundNothing && decision.rule === undefined)) return [];
  const decider = rules.rules.findIndex(({ name }) => name === decision.rule);
  const evaluated = foundNothing ? rules.rules : rules.rules.slice(0, Math.max(0, decider));
  // A rule with `exclude` never finds a port, so that it does not match explains nothing.
  const finders = new Set(evaluated.filter(({ exclude }) => exclude === undefined).map(({ name }) => name));
  const shown = notMatched.filter(({ rule }) => finders.has(rule));
  if (!foundNothing)
    return shown.length === 0
      ? []
      : wrap(['earlier rules, not matched:', ...shown.map(({ rule }, i) => rule + (i + 1 < shown.length ? ',' : ''))]);
  const width = Math.max(0, ...shown.map(({ rule }) => rule.length));
  return shown.map(({ rule, because }) => cut(`${INDENT}${rule.padEnd(width)}  ${because}`));
}

function paint(style: 'bold' | 'cyan' | 'dim' | 'green' | 'yellow', text: string): string {
  return styleText(style, visible(text));
}

/** Returns the string without control characters: others write the manifests, and a name must not reach the terminal as an escape sequence. */
function visible(text: string): string {
  return stripControls(text, '\uFFFD');
}

function cut(line: string): string {
  return line.length <= COLUMNS ? line : `${line.slice(0, COLUMNS - 1)}…`;
}

function wrap(words: readonly string[], indent = INDENT): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(indent + word);
  }
  return lines;
}
