import { nameOf } from '../core/metadata.ts';
import { isObject, objectIn, text } from '../core/json.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { Related } from '../explain/related-objects.ts';
import type { EndpointAsked, FoundEndpoint } from './endpoint/ask-endpoint.ts';
import { checkEndpoint } from './endpoint/check-endpoint.ts';
import { checkPod, isNew } from './pod/check-pod.ts';
import type { Stated } from './pod/check-pod.ts';
import { checkTargets, isAt } from './scraper/check-targets.ts';
import type { KnownPod, PodInScraper } from './scraper/check-targets.ts';
import type { ClusterReader } from './object-cache.ts';
import { asNote, finding, quoted, quotedAddress, withKeys } from './finding.ts';
import type { FindingId, Line, Named, PodReport } from './finding.ts';
import { isMeshed } from './scraper/mesh-proxy.ts';
import type { Unread } from './scraper/read-scraper.ts';
import { noScraper } from './scraper/scrapers-section.ts';
import type { SeriesOf } from './scraper/series.ts';
import { stoppedContainer } from './pod/stopped-container.ts';
import { workloadOf } from './pod/select-pods.ts';

/** What diagnosing one pod needs. */
export interface Diagnosing {
  readonly namespace: string;
  /** What the namespace and its Services say; nothing of the namespace where it can't be read. */
  readonly related: Related;
  readonly rules: Rules;
  /** What is needed to know the selectors in force; undefined where they are known. */
  readonly selectorsNeed: string | undefined;
  /** What the user named: the pod or its workload, its namespace, or neither. What nobody asked for is only noted. */
  readonly named: Named;
  /** What a Prometheus says of the pod, or why none could be asked. */
  readonly scraper: PodInScraper | Unread;
  /** Asks the annotated endpoint once; undefined where it is not to be asked, and nothing to be said about that. */
  readonly ask: (stated: Stated) => Promise<EndpointAsked | undefined>;
  /** Asks the other ports of the pod; undefined where none serves metrics, or none is to be asked. */
  readonly findEndpoint: () => Promise<FoundEndpoint | undefined>;
  /** Returns what creates the pod, or undefined where it can't be read. */
  readonly owner: () => Promise<unknown>;
  /** Looks at the series of a target that is up. */
  readonly series: SeriesOf;
  /** Returns the name of a running pod that has the address of this one; undefined where none has. */
  readonly sameAddress: () => Promise<string | undefined>;
  /** Reads what else may be the cause. */
  readonly cluster: ClusterReader;
  /** Unix time in ms. */
  readonly now: number;
}

/** Returns what was found on the way from the pod to its target. Judging stops at the first cross. */
export async function diagnose(pod: unknown, options: Diagnosing): Promise<PodReport> {
  const report = await lookAt(pod, options);
  const keys = options.rules.annotationKeys;
  const lines = foldSuspicion(report.lines).map((line) => withKeys(asNote(line, options.named), keys));
  const isBroken = lines.some(({ state }) => state === 'cross' || state === 'warning');
  return { ...report, lines: isBroken ? lines : lines.filter(({ state }) => state !== 'unreached') };
}

const ASK_AGAIN = 'cannot tell yet: ask again in a minute';

/** How an endpoint fails whose app does not run, or does not run yet. */
const MAY_BE_STOPPED: readonly FindingId[] = ['endpoint-refused', 'endpoint-closes', 'endpoint-status'];

/** What is suspect of the annotations is said with the break that it probably causes: one cause, one finding. */
function foldSuspicion(lines: readonly Line[]): readonly Line[] {
  const suspicion = lines.find((line) => 'id' in line && line.id === 'annotation-suspect');
  const effect = lines.find((line) => line.state === 'cross' || ('id' in line && line.id === 'target-doubled'));
  if (suspicion === undefined || !('because' in suspicion) || effect === undefined) return lines;
  return lines
    .filter((line) => line !== suspicion)
    .map((line) =>
      line === effect && 'because' in line ? { ...line, because: `${line.because} ${suspicion.because}` } : line,
    );
}

async function lookAt(pod: unknown, options: Diagnosing): Promise<PodReport> {
  const { namespace, related, rules, selectorsNeed, scraper, owner, findEndpoint, now } = options;
  const unchecked = 'needs' in scraper ? scraper : undefined;
  const says = 'needs' in scraper ? undefined : scraper;
  const isTarget = says !== undefined && says.active.length > 0;
  const checked = await checkPod(pod, { namespace, related, rules, selectorsNeed, isTarget, owner, findEndpoint, now });
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
  if (!checked.goesOn) {
    if (isTarget && lines.some((line) => 'id' in line && line.id === 'pod-finished'))
      lines.splice(0, 1, stillTarget(pod, options, says, await options.sameAddress()));
    return report(false, broken(lines, ['the endpoint', 'Prometheus']));
  }
  const asked = readAskedPod(pod);
  const answer = stated && (await options.ask(stated));
  if (answer !== undefined && 'isGone' in answer) {
    lines.push(finding('pod-gone', 'the pod is gone', 'It was deleted while this ran.', 'Run this again.'));
    return report(undefined, 'cannot tell: the pod is gone (pod-gone)');
  }
  if (stated !== undefined && answer !== undefined) {
    const up = (says?.active ?? []).filter(({ health }) => health === 'up');
    const isUp = up.some(({ url }) => isAt(url, asked.podIP, stated));
    const isGood = 'needs' in answer || answer.verdict.key === 'metrics' || isUp;
    const other = isGood ? undefined : await findEndpoint();
    const line = checkEndpoint(answer, stated, { namespace, isUp, isMeshed: isMeshed(pod), other });
    if (line.state !== 'cross') lines.push(line);
    // It is scraped at another address, where a monitor has found it: no break.
    else if (up.length > 0) lines.push({ ...line, state: 'warning' });
    else {
      const stopped = MAY_BE_STOPPED.includes(line.id)
        ? stoppedContainer(pod, { namespace, port: stated.port, now })
        : undefined;
      if (stopped !== undefined) {
        lines.push(stopped);
        const isKnown = stopped.state === 'cross';
        return report(isKnown ? false : undefined, isKnown ? broken(lines, ['Prometheus']) : ASK_AGAIN);
      }
      const down = says?.active.find(({ error }) => error !== '');
      const heard = down === undefined ? '' : ` ${says?.prometheus ?? ''} says "${quotedAddress(down.error)}".`;
      lines.push({ ...line, because: line.because + heard });
      return report(false, broken(lines, ['Prometheus']));
    }
  }
  if (says === undefined) {
    const { title, needs } = unchecked ?? { title: 'Prometheus', needs: '--prometheus' };
    lines.push(unchecked?.isNone === true ? noScraper() : { state: 'unchecked', title, needs });
    return report(
      undefined,
      `cannot tell: ${unchecked?.isNone === true ? 'no scraper found (scraper-not-found)' : `${title} was not checked (needs ${needs})`}`,
    );
  }
  const known = {
    pod: isObject(pod) ? pod : {},
    namespace,
    address: asked.podIP,
    stated,
    declared: asked.containers.flatMap(({ ports }) => ports.map(({ number }) => number)),
    ...answeredBy(answer),
    isMeshed: isMeshed(pod),
    isNew: isNew(pod, now),
    key: rules.annotationKeys.scrape,
    now,
  };
  const targets = await checkTargets(says, known, options.cluster);
  // Where the target is down too, its finding says what came through the API server.
  const isDown = says.active.some(({ health }) => health === 'down') && targets.scraped !== true;
  const endpoint = lines.findIndex((line) => line.state === 'warning' && line.id.startsWith('endpoint-'));
  if (isDown && endpoint >= 0) lines.splice(endpoint, 1);
  lines.push(...targets.lines);
  if (targets.scraped === true && targets.target !== undefined) {
    const { lines: stored, samples } = await options.series(says.state, targets.target, known.pod);
    lines.push(...stored);
    const count = samples === undefined ? '' : `, ${samples} samples`;
    return report(true, `is scraped: ${targets.answer.replace('up', `up${count}`)}`);
  }
  if (targets.scraped === undefined) {
    const [other] = says.others;
    const isOthers =
      other !== undefined && targets.lines.some((line) => 'id' in line && line.id === 'annotations-not-read');
    return report(
      undefined,
      isOthers ? `cannot tell: ${other.name} was not checked (needs a look at ${other.page})` : ASK_AGAIN,
    );
  }
  return report(false, broken(lines, []));
}

/** Adds what was not reached, and returns the answer: the first cause. */
function broken(lines: Line[], unreached: readonly string[]): string {
  const cause =
    lines.find((line) => line.state === 'cross') ?? lines.findLast((line) => line.state === 'warning') ?? undefined;
  for (const title of unreached) lines.push({ state: 'unreached', title });
  return cause === undefined || !('id' in cause) ? 'not scraped' : `not scraped: ${cause.title} (${cause.id})`;
}

/** Returns that the address of a finished pod is still asked, whose metrics get its name. */
function stillTarget(
  pod: unknown,
  { namespace }: Pick<Diagnosing, 'namespace'>,
  says: PodInScraper,
  other: string | undefined,
): Line {
  const phase = text(objectIn(pod, 'status').phase);
  const taken = other === undefined ? '' : ` The address is now that of ${other}, whose metrics get this pod's labels.`;
  return finding(
    'target-finished',
    'finished, and still a target',
    `Its phase is ${quoted(phase)}, and ${says.prometheus} goes on asking its address.${taken}`,
    `kubectl delete pod ${nameOf(pod)} -n ${namespace}; for good: ttlSecondsAfterFinished in the Job, or {source_labels: [__meta_kubernetes_pod_phase], regex: Succeeded|Failed, action: drop} in the scrape job`,
  );
}

function answeredBy(answer: EndpointAsked | undefined): Pick<KnownPod, 'answered' | 'verdict'> {
  if (answer === undefined || !('verdict' in answer)) return { answered: undefined, verdict: undefined };
  const isGood = answer.verdict.key === 'metrics' || answer.verdict.key === 'metrics_empty';
  return { answered: isGood ? { ms: answer.ms } : undefined, verdict: answer.verdict.key };
}
