import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { KnownPod, PodInScraper } from './check-targets.ts';
import type { ClusterReader } from '../object-cache.ts';
import { discoveredLabels } from './discovered-labels.ts';
import { finding, quoted } from '../finding.ts';
import type { Finding, Line } from '../finding.ts';
import { explainMonitors } from './prometheus-operator.ts';
import { droppingRule } from './relabel.ts';
import type { DroppingRule, Labels } from './relabel.ts';
import { annotationLabel, discoversPods, leavesOut, parseJob } from './loaded-configuration.ts';
import type { ScrapeJob } from './loaded-configuration.ts';

const TITLE = 'no target';

/** A configuration that was loaded so recently may have made no targets yet, in ms. */
const SETTLES_MS = 15_000;

/** Returns why an annotated pod has no target, in the order of the data: configuration, discovery, relabelling. */
export async function explainMissing(
  says: PodInScraper,
  pod: KnownPod,
  cluster: ClusterReader,
): Promise<readonly Line[]> {
  const { prometheus, state } = says;
  if (pod.isNew) return [notYet(`The pod is younger than two minutes, and ${prometheus} has no target of it yet.`)];
  if (state.reloaded === false)
    return [
      finding(
        'scraper-reload-failed',
        TITLE,
        `${prometheus} could not load its newest configuration, and runs with an older one.`,
        'Look at its log, and check the file: promtool check config',
      ),
    ];
  if (state.loadedAt !== undefined && pod.now - state.loadedAt < SETTLES_MS && pod.now >= state.loadedAt)
    return [notYet(`${prometheus} loaded its configuration ${Math.round((pod.now - state.loadedAt) / 1000)} s ago.`)];
  if (state.jobs !== undefined && state.reading.length === 0) {
    const monitors = await explainMonitors(pod, state, cluster, annotationLabel(pod.key));
    if (monitors.some((line) => line.state === 'cross' || line.state === 'warning')) return monitors;
    return [...monitors, nobodyReads(says, pod)];
  }
  const jobs = state.reading.length > 0 ? state.reading : [];
  for (const job of jobs) {
    const dropped = await explainDropped(job, says, pod);
    if (dropped !== undefined) return [dropped];
  }
  for (const job of jobs) {
    const unseen = await explainUnseen(job, says, pod);
    if (unseen !== undefined) return [unseen];
  }
  // Only where the job discovers pods are the labels those of the pod: with the role endpoints there are the Service's.
  for (const job of jobs.filter((each) => discoversPods(parseJob(each)))) {
    const found = nearest(job, discoveredLabels(pod.pod, parseJob(job)), '');
    if (found !== undefined) return [droppedBy(found, job, says, pod, 'By its rules')];
  }
  return [unexplained(says)];
}

function notYet(because: string): Finding {
  return finding('target-not-yet', TITLE, because, 'Run this again in a minute.');
}

function nobodyReads({ prometheus, others: [other] }: PodInScraper, { key }: KnownPod): Finding {
  const found = finding(
    'annotations-not-read',
    TITLE,
    `${prometheus} has no scrape job that reads the annotation ${key} of pods.`,
    "Add one: with the Prometheus Operator the chart's bridge.enabled=true does (docs/consumers.md).",
  );
  if (other === undefined) return found;
  return {
    ...found,
    state: 'warning',
    because: `${found.because} ${other.name} may scrape it, and can't be asked.`,
    todo: `Look at ${other.page}. ${found.todo}`,
  };
}

/** The dropped targets of the pod in the pool of the job, with the rule that drops the one that comes furthest. */
async function explainDropped(job: ScrapeJob, says: PodInScraper, pod: KnownPod): Promise<Finding | undefined> {
  const targets = (says.dropped?.targets ?? []).filter(({ pool }) => pool === job.name || pool === '');
  const [first] = targets;
  if (first === undefined) return undefined;
  const found = nearest(
    job,
    targets.map(({ discovered }) => discovered),
    await byScraper(job, first.discovered, says),
  );
  return found === undefined ? undefined : droppedBy(found, job, says, pod, 'It');
}

interface Drop {
  readonly rule: DroppingRule;
  readonly labels: Labels;
  /** What the scraper's own relabel steps say, where they were asked. */
  readonly said: string;
}

function nearest(job: ScrapeJob, targets: readonly Labels[], said: string): Drop | undefined {
  const parsed = parseJob(job);
  return targets
    .flatMap((labels): Drop[] => {
      const rule = droppingRule(parsed, labels);
      return rule === undefined ? [] : [{ rule, labels, said }];
    })
    .toSorted((a, b) => b.rule.place - a.rule.place)[0];
}

/** Returns the number of the rule that Prometheus itself names (since 3.8), as a sentence; empty where it does not. */
async function byScraper(job: ScrapeJob, labels: Labels, { state }: PodInScraper): Promise<string> {
  const query = new URLSearchParams({ scrapePool: job.name, labels: JSON.stringify(labels) });
  const answer = await state.scraper.api.data(`/api/v1/targets/relabel_steps?${query.toString()}`);
  const steps = answer.ok ? objectsIn(answer.value, 'steps') : [];
  const step = steps.findIndex(({ keep }) => keep === false);
  return step < 0 ? '' : ` Its relabel steps say so, too: step ${step + 1}.`;
}

function droppedBy({ rule, said }: Drop, job: ScrapeJob, says: PodInScraper, pod: KnownPod, by: string): Finding {
  const value = rule.value === '' ? 'which the pod does not have' : `and the value is "${quoted(rule.value)}"`;
  return finding(
    'target-dropped',
    TITLE,
    `${says.prometheus} sees the pod, and the job ${quoted(job.name)} drops it. ${by === 'It' ? '' : `${by}: `}Rule ${rule.place} of its relabel_configs is {${quoted(rule.rule)}}, ${value}.${said}`,
    remedyFor(rule, pod, job),
  );
}

/** What rules keep by, and what to do about it. */
function remedyFor(
  { sourceLabels, place }: DroppingRule,
  { pod, stated, declared, namespace }: KnownPod,
  job: ScrapeJob,
): string {
  const reads = (label: string): boolean => sourceLabels.some((source) => source.startsWith(label));
  const port = stated?.port;
  if (reads('__meta_kubernetes_pod_container_port_') && port !== undefined && !declared.includes(port))
    return `declare the port in the pod template: ports: [{name: metrics, containerPort: ${port}}]`;
  if (reads('__meta_kubernetes_pod_container_port_name'))
    return `name the port in the pod template as rule ${place} wants it`;
  if (reads('__meta_kubernetes_pod_container_init'))
    return 'Serve the metrics in a regular container: the job drops init containers.';
  if (reads('__meta_kubernetes_namespace'))
    return `Add the namespace ${namespace} to the regex of rule ${place} of the job ${quoted(job.name)}.`;
  if (reads('__meta_kubernetes_pod_ready'))
    return `The job keeps pods that are ready only: kubectl describe pod ${nameOf(pod)} -n ${namespace}`;
  const label = sourceLabels.find((source) => source.startsWith('__meta_kubernetes_pod_label_'));
  if (label !== undefined)
    return `Give the pod template the label that rule ${place} wants: ${quoted(label.replace('__meta_kubernetes_pod_label_', ''))}`;
  return `Change rule ${place} of the job ${quoted(job.name)}, or what it reads of the pod.`;
}

/** A job whose discovery does not see the pod: its namespaces, or its rights. */
async function explainUnseen(job: ScrapeJob, says: PodInScraper, pod: KnownPod): Promise<Finding | undefined> {
  const { state, prometheus } = says;
  const left = leavesOut(parseJob(job), pod.namespace);
  if (left !== undefined)
    return finding(
      'target-not-discovered',
      TITLE,
      `${prometheus} does not see the pod: its job ${quoted(job.name)} discovers pods of ${quoted(left)}.`,
      `Add ${pod.namespace} to kubernetes_sd_configs[].namespaces.names of the job ${quoted(job.name)}.`,
    );
  if (state.dropped === undefined || says.dropped?.isCut === true) return undefined;
  const seen = (state.active.get(job.name) ?? 0) + (state.dropped.get(job.name) ?? 0);
  // It sees others: only this pod is missing, or before 2.47 nobody counts.
  if (seen > 0) return undefined;
  const failures = await discoveryFailures(says);
  const account = accountOf(state.scraper.pods);
  const sure = failures > 0 ? ` Its discovery has failed ${failures} times.` : '';
  return finding(
    'target-not-discovered',
    TITLE,
    `${prometheus} sees no pod at all in its job ${quoted(job.name)}.${sure}${failures > 0 ? '' : ' Probably it has no right to list pods.'}`,
    account === undefined
      ? `Give its service account get, list and watch on pods in namespace ${pod.namespace}.`
      : `kubectl auth can-i list pods -n ${pod.namespace} --as=${account}; bind it a ClusterRole with get, list and watch on pods`,
  );
}

function accountOf([pod]: readonly JsonObject[]): string | undefined {
  if (pod === undefined) return undefined;
  const name = text(objectIn(pod, 'spec').serviceAccountName) || 'default';
  return `system:serviceaccount:${namespaceOf(pod)}:${name}`;
}

/** By scraper: it is asked once, and not for each of many pods. */
const FAILURES = new WeakMap<PodInScraper['state'], Promise<number>>();

function discoveryFailures({ state }: PodInScraper): Promise<number> {
  const known = FAILURES.get(state) ?? readDiscoveryFailures(state);
  FAILURES.set(state, known);
  return known;
}

/** Returns how often discovery has failed, as Prometheus counts it since 2.52; 0 where that is not known. */
async function readDiscoveryFailures(state: PodInScraper['state']): Promise<number> {
  const page = await state.scraper.api.text('/metrics');
  const [, count = '0'] =
    /^prometheus_sd_kubernetes_failures_total(?:\{[^}]*\})? (\S+)$/m.exec(page.ok ? page.value : '') ?? [];
  return Number(count) || 0;
}

function unexplained({ prometheus, dropped, state }: PodInScraper): Finding {
  if (dropped === undefined && state.scraper.kind === 'vmagent')
    return finding(
      'target-missing',
      TITLE,
      `${prometheus} has no target of the pod, and vmagent does not keep what it drops.`,
      'Start vmagent with -promscrape.dropOriginalLabels=false, and open its page /service-discovery.',
    );
  if (dropped !== undefined && !dropped.isCut && dropped.targets.length === 0)
    return finding(
      'target-not-discovered',
      TITLE,
      `${prometheus} does not see the pod, in no scrape job.`,
      "Look at the namespaces and selectors in the job's kubernetes_sd_configs, and at its service account's rights.",
    );
  return finding(
    'target-missing',
    TITLE,
    `${prometheus} has no target of the pod, and shows only part of what it drops, or nothing.`,
    "Open its page Service discovery. The job's keep_dropped_targets limits what is shown.",
  );
}
