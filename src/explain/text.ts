import { styleText } from 'node:util';
import type { AnnotationKeys } from '../core/annotations/keys.ts';
import { stripControls } from '../core/control-characters.ts';
import type { Decision } from '../core/decision.ts';
import type { Candidate, Explanation } from '../core/explain.ts';
import { MARKER_KEY } from '../core/annotations/marker.ts';
import { REASONS } from '../core/reason.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { Workload } from '../manifest/workload.ts';
import { unreadableBecause } from './unreadable.ts';

const COLUMNS = 100;
const INDENT = ' '.repeat(6);

/** Returns the explanation of a workload for a person: the decision, what it adds, warnings, each port, notes. */
export function renderExplanation(workload: Workload, explanation: Explanation, rules: Rules): string {
  const { decision, candidates, notes } = explanation;
  const lines = [headline(workload, decision)];
  if (decision.outcome === 'annotate') {
    for (const [key, value] of Object.entries(decision.annotations)) {
      lines.push(paint('green', key === MARKER_KEY ? `  + ${key}, which records these` : `  + ${key}: "${value}"`));
    }
  } else {
    lines.push(`  ${REASONS[decision.reason]}`);
    if (decision.reason === 'unreadable')
      lines.push(...unreadableBecause(workload.pod).map((text) => visible(`  ${text}`)));
  }
  for (const warning of decision.warnings) lines.push(paint('yellow', `  ! ${warning}`));
  if (candidates.length === 0 && decision.outcome === 'skip' && decision.reason === 'no_candidate') {
    lines.push('  No container declares a port, and no rule finds one stated in arguments or variables.');
  }

  const about = candidates.map(({ port, name, container }) =>
    visible(
      `  port ${Number.isNaN(port) ? 'that is no number' : port}${name === '' ? '' : ` ${name}`}, container ${container}`,
    ),
  );
  const width = Math.max(0, ...about.map((text) => text.length));
  for (const [i, candidate] of candidates.entries()) {
    lines.push(`${about[i]?.padEnd(width) ?? ''}  ${verdict(candidate, decision, rules.annotationKeys)}`);
    const refusals = renderRefusals(candidate, decision, rules);
    const next = candidates[i + 1];
    // What is refused for the same reasons is told once, below the last of them.
    const isSaidBelow = next !== undefined && renderRefusals(next, decision, rules).join() === refusals.join();
    if (!isSaidBelow) lines.push(...refusals.map((line) => paint('dim', line)));
  }
  for (const note of notes) lines.push(...wrap(visible(note).split(' '), '  '));
  return `${lines.join('\n')}\n`;
}

function headline({ kind, namespace, name }: Workload, decision: Decision): string {
  const path = [namespace, name].filter((part) => part !== '').join('/');
  const title = paint('bold', `${kind} ${path}`.trimEnd());
  if (decision.outcome === 'annotate') return `${title}: ${paint('green', `annotated by ${naming(decision.rule)}`)}`;
  const rule = decision.rule === undefined ? '' : `, rule ${decision.rule}`;
  return `${title}: ${paint('cyan', `left alone (${decision.reason}${rule})`)}`;
}

function naming(rule: string): string {
  return rule === 'annotation' || rule === 'label' ? `its own ${rule}` : `rule ${rule}`;
}

function verdict({ container, port, excluded, taken }: Candidate, decision: Decision, keys: AnnotationKeys): string {
  if (excluded !== undefined) return paint('dim', excluded);
  const endpoint = decision.outcome === 'annotate' ? decision.endpoints[0] : undefined;
  if (decision.outcome === 'annotate' && endpoint?.port === port && endpoint.container === container) {
    // A path that the pod states itself is not among what is added, and may be another than the rule's.
    const path = decision.annotations[keys.path] ?? 'the path as annotated';
    return paint('green', `taken by ${naming(decision.rule)}: ${endpoint.scheme}, ${path}`);
  }
  const [first] = taken;
  if (first === undefined) return 'no rule takes it';
  const found = visible(`${first.rule} finds it (${first.scheme}, ${first.path})`);
  if (endpoint === undefined) return found;
  const because =
    first.rule === decision.rule ? 'but only one port can be annotated' : `but ${decision.rule ?? ''} comes first`;
  return `${found}, ${because}`;
}

/**
 * Returns the rules that were asked before the decision fell and refused the port. Where nothing was found, each has its
 * reason, which says what it looks for; where something was, their names tell that they were asked.
 */
function renderRefusals({ excluded, refused }: Candidate, decision: Decision, rules: Rules): string[] {
  const isLost = decision.outcome === 'skip' && decision.reason === 'no_candidate';
  if (excluded !== undefined || (!isLost && decision.rule === undefined)) return [];
  const decider = rules.rules.findIndex(({ name }) => name === decision.rule);
  const asked = isLost ? rules.rules : rules.rules.slice(0, Math.max(0, decider));
  // A rule that only ever says "switched off" takes no port, so its silence explains nothing.
  const finders = new Set(asked.filter(({ exclude }) => !exclude).map(({ name }) => name));
  const shown = refused.filter(({ rule }) => finders.has(rule));
  if (!isLost)
    return shown.length === 0
      ? []
      : wrap(['asked before, and refused:', ...shown.map(({ rule }, i) => rule + (i + 1 < shown.length ? ',' : ''))]);
  const width = Math.max(0, ...shown.map(({ rule }) => rule.length));
  return shown.map(({ rule, because }) => cut(`${INDENT}${rule.padEnd(width)}  ${because}`));
}

function paint(style: 'bold' | 'cyan' | 'dim' | 'green' | 'yellow', text: string): string {
  return styleText(style, visible(text));
}

/** Manifests are written by others, and an escape sequence in a name is no message for a terminal. */
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
