import { objectIn, objectsIn, text } from '../core/json.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { Rules } from '../core/rules/rule.ts';
import { checkEndpoint } from './check-endpoint.ts';
import type { EndpointAsked } from './check-endpoint.ts';
import { checkPod, isNew } from './check-pod.ts';
import type { Stated } from './check-pod.ts';
import { checkTargets, isAt } from './check-targets.ts';
import type { PodInScraper } from './check-targets.ts';
import { quoted } from './finding.ts';
import type { Line, PodReport } from './finding.ts';

/** What diagnosing one pod needs. */
export interface Diagnosing {
  readonly namespace: string;
  /** The namespace's object; undefined where it can't be read. */
  readonly namespaceObject: unknown;
  readonly rules: Rules;
  /** What a Prometheus says of the pod, or why none could be asked. */
  readonly scraper: PodInScraper | { readonly title: string; readonly needs: string };
  /** Asks the annotated endpoint once. */
  readonly ask: (stated: Stated) => Promise<EndpointAsked>;
  /** Unix time in ms. */
  readonly now: number;
}

/** Returns what was found on the way from the pod to its target. Judging stops at the first cross. */
export async function diagnose(pod: unknown, options: Diagnosing): Promise<PodReport> {
  const { namespace, namespaceObject, rules, scraper, now } = options;
  const unchecked = 'needs' in scraper ? scraper : undefined;
  const says = 'needs' in scraper ? undefined : scraper;
  const isTarget = says !== undefined && says.active.length > 0;
  const checked = checkPod(pod, { namespace, namespaceObject, rules, isTarget, now });
  const lines: Line[] = [...checked.lines];
  const report = (scraped: boolean | undefined, answer: string): PodReport => ({
    namespace,
    name: text(objectIn(pod, 'metadata').name),
    lines,
    scraped,
    answer,
  });
  const { stated } = checked;
  if (!checked.goesOn) return report(false, broken(lines, ['the endpoint', 'Prometheus']));
  const asked = readAskedPod(pod);
  if (stated !== undefined) {
    const up = (says?.active ?? []).filter(({ health }) => health === 'up');
    const isUp = up.some(({ url }) => isAt(url, asked.podIP, stated));
    const line = checkEndpoint(await options.ask(stated), stated, isUp, isMeshed(pod));
    if (line.state !== 'cross') lines.push(line);
    // It is scraped at another address, where a monitor has found it: no break.
    else if (up.length > 0) lines.push({ ...line, state: 'warning' });
    else {
      const down = says?.active.find(({ error }) => error !== '');
      const heard = down === undefined ? '' : ` ${says?.prometheus ?? ''} says "${quoted(down.error)}".`;
      lines.push({ ...line, because: line.because + heard });
      return report(false, broken(lines, ['Prometheus']));
    }
  }
  if (says === undefined) {
    const { title, needs } = unchecked ?? { title: 'Prometheus', needs: '--prometheus' };
    lines.push({ state: 'unchecked', title, needs });
    return report(undefined, `cannot tell: ${title} was not checked (needs ${needs})`);
  }
  const targets = checkTargets(says, {
    namespace,
    address: asked.podIP,
    stated,
    declared: asked.containers.flatMap(({ ports }) => ports.map(({ number }) => number)),
    answers: lines.some((line) => line.state === 'ok' && line.title.startsWith('answers through')),
    isNew: isNew(pod, now),
    now,
  });
  lines.push(...targets.lines);
  if (targets.scraped === true) return report(true, `is scraped: ${targets.answer}`);
  if (targets.scraped === undefined) return report(undefined, 'cannot tell yet: it is a target that was not asked yet');
  return report(false, broken(lines, []));
}

/** Adds what was not reached, and returns the answer: the first cause. */
function broken(lines: Line[], unreached: readonly string[]): string {
  const cause =
    lines.find((line) => line.state === 'cross') ?? lines.findLast((line) => line.state === 'warning') ?? undefined;
  for (const title of unreached) lines.push({ state: 'unreached', title });
  return cause === undefined || cause.state === 'unreached' || cause.state === 'unchecked'
    ? 'not scraped'
    : `not scraped: ${cause.title}${'id' in cause ? ` (${cause.id})` : ''}`;
}

/** Istio's sidecar is a regular container or one that keeps running; ambient mode shows in a label. */
function isMeshed(pod: unknown): boolean {
  const spec = objectIn(pod, 'spec');
  const names = [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers')].map(({ name }) => name);
  const labels = objectIn(objectIn(pod, 'metadata'), 'labels');
  return (
    names.includes('istio-proxy') || names.includes('linkerd-proxy') || labels['istio.io/dataplane-mode'] === 'ambient'
  );
}
