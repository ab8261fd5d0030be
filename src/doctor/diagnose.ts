import { objectIn, objectsIn } from '../core/json.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { Related } from '../explain/related.ts';
import type { EndpointAsked, FoundEndpoint } from './ask-endpoint.ts';
import { checkEndpoint } from './check-endpoint.ts';
import { checkPod, isNew } from './check-pod.ts';
import type { Stated } from './check-pod.ts';
import { checkTargets, isAt } from './check-targets.ts';
import type { PodInScraper } from './check-targets.ts';
import { asNote, quoted } from './finding.ts';
import type { Line, Named, PodReport } from './finding.ts';
import { nameOf, workloadOf } from './select-pods.ts';

/** What diagnosing one pod needs. */
export interface Diagnosing {
  readonly namespace: string;
  /** What the namespace and its Services say; nothing of the namespace where it can't be read. */
  readonly related: Related;
  readonly rules: Rules;
  /** What the user named: the pod or its workload, its namespace, or neither. What nobody asked for is only noted. */
  readonly named: Named;
  /** What a Prometheus says of the pod, or why none could be asked. */
  readonly scraper: PodInScraper | { readonly title: string; readonly needs: string };
  /** Asks the annotated endpoint once; undefined where it is not to be asked, and nothing to be said about that. */
  readonly ask: (stated: Stated) => Promise<EndpointAsked | undefined>;
  /** Asks the other ports of the pod; undefined where none serves metrics, or none is to be asked. */
  readonly findEndpoint: () => Promise<FoundEndpoint | undefined>;
  /** Returns what creates the pod, or undefined where it can't be read. */
  readonly owner: () => Promise<unknown>;
  /** Unix time in ms. */
  readonly now: number;
}

/** Returns what was found on the way from the pod to its target. Judging stops at the first cross. */
export async function diagnose(pod: unknown, options: Diagnosing): Promise<PodReport> {
  const report = await lookAt(pod, options);
  const lines = report.lines.map((line) => asNote(line, options.named));
  const isBroken = lines.some(({ state }) => state === 'cross' || state === 'warning');
  return { ...report, lines: isBroken ? lines : lines.filter(({ state }) => state !== 'unreached') };
}

async function lookAt(pod: unknown, options: Diagnosing): Promise<PodReport> {
  const { namespace, related, rules, scraper, owner, findEndpoint, now } = options;
  const unchecked = 'needs' in scraper ? scraper : undefined;
  const says = 'needs' in scraper ? undefined : scraper;
  const isTarget = says !== undefined && says.active.length > 0;
  const checked = await checkPod(pod, { namespace, related, rules, isTarget, owner, findEndpoint, now });
  const lines: Line[] = [...checked.lines];
  const report = (scraped: boolean | undefined, answer: string): PodReport => ({
    namespace,
    name: nameOf(pod),
    workload: workloadOf(pod),
    lines,
    scraped,
    answer,
  });
  const { stated } = checked;
  if (!checked.goesOn) return report(false, broken(lines, ['the endpoint', 'Prometheus']));
  const asked = readAskedPod(pod);
  const answer = stated && (await options.ask(stated));
  if (stated !== undefined && answer !== undefined) {
    const up = (says?.active ?? []).filter(({ health }) => health === 'up');
    const isUp = up.some(({ url }) => isAt(url, asked.podIP, stated));
    const isGood = 'needs' in answer || answer.verdict.key === 'metrics' || isUp;
    const other = isGood ? undefined : await findEndpoint();
    const line = checkEndpoint(answer, stated, { isUp, isMeshed: isMeshed(pod), other });
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
    answers: answer !== undefined && 'verdict' in answer && answer.verdict.key === 'metrics',
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
  return cause === undefined || !('id' in cause) ? 'not scraped' : `not scraped: ${cause.title} (${cause.id})`;
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
