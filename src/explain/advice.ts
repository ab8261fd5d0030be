import { stringify } from 'yaml';
import { allowsAsking, ASK_LABEL } from '../core/ask-label.ts';
import { askablePorts, podRefusal } from '../core/ask/askable-ports.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import { servicePorts } from '../core/ask/service-ports.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Pod } from '../core/pod/pod.ts';
import { evaluateRules, podCandidates } from '../core/rules/evaluate-rules.ts';
import type { CandidatePort } from '../core/rules/evaluate-rules.ts';
import { neededSettings } from '../core/rules/needed-setting.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { SkipReason } from '../core/skip-reason.ts';
import type { ReleaseSelector } from '../manifest/release-selectors.ts';
import type { Workload } from '../manifest/workload.ts';
import type { Related } from './related-objects.ts';
import { whyUnreadable } from './unreadable.ts';
import { whyUnselected } from './unselected.ts';
import type { Outcome, WhyUnselected } from './unselected.ts';

/** What to do about a decision. */
export interface Advice {
  /** Sentences, the most useful first. */
  readonly sentences: readonly string[];
  /** YAML to copy, each below a line that says what it is. */
  readonly snippets: readonly Snippet[];
}

export interface Snippet {
  readonly what: string;
  readonly yaml: string;
}

/** What the reasons that need no look at the pod tell to do. */
const WAY_OUT: Readonly<Partial<Record<SkipReason, string>>> = {
  mirror_pod: 'Write the annotations into its manifest on the node.',
  opted_out: 'Remove the label autoscrape.io/inject from the pod, or set it to enabled.',
  already_injected: 'Nothing: scrapers read what autoscrape has added.',
  declined:
    'Where it should be scraped, write the scrape annotation as "true", or remove it, so that the rules decide.',
  conflicting_keys: 'Keep one of the two spellings.',
  istio_merged: "Nothing, unless a note says that Istio's agent does not know the port.",
  bad_port_annotation: 'Write one decimal port number, in quotes, or remove the annotation.',
  bad_rule_label: 'Name a rule that `autoscrape check --print` lists, or add the label autoscrape.io/port.',
  bad_port_label: 'Name a TCP port of the pod, by its number in quotes or by its name.',
  switched_off:
    'Switch the metrics on in these settings. Where the rule is wrong, name the port: label autoscrape.io/port.',
  unreachable: 'Let it listen on all addresses, such as :9464 or 0.0.0.0:9464.',
  guarded: 'Scrape it with a PodMonitor that has the credentials, or take the protection off its metrics.',
  served_elsewhere: 'Nothing here: scrape what serves the metrics instead.',
  https_endpoint:
    'Set https: true in the rules file where your Prometheus verifies its certificate, or write a PodMonitor.',
  mesh_https: 'Serve the metrics over http in the mesh, where Istio encrypts them, or leave the pod out of the mesh.',
  changed_since: 'Remove autoscrape.io/injected from the manifest that brought it, or the annotations that it lists.',
  too_complex: 'Write its scrape annotations yourself.',
  too_large: "Make the pod's other annotations smaller.",
};

/** What advice depends on besides the pod and its decision. */
interface AdviceSurroundings {
  /** What somebody should correct outside of the pod. */
  readonly remarks: readonly string[];
  readonly rules: Rules;
  readonly related: Related;
  readonly namespace: string;
  /** Why the pod or its namespace is not selected. */
  readonly unselected: WhyUnselected;
}

/** Returns what to do about the decision on a workload's pod. */
export function adviseOn(workload: Workload, decision: Outcome, surroundings: AdviceSurroundings): Advice {
  const { related, namespace } = surroundings;
  if (decision.outcome === 'annotate') return { sentences: [onNamespace(workload, surroundings)], snippets: [] };
  if (decision.reason === 'not_selected') {
    if (related.namespace(namespace)?.optIn === 'never')
      return { sentences: [onNamespace(workload, surroundings)], snippets: [] };
    const { pod: why, namespace: also } = surroundings.unselected;
    const sentences = [why?.todo ?? '', why?.because ?? ''];
    if (also !== undefined) sentences.push(`And for its namespace: ${also.todo}`);
    return { sentences, snippets: [] };
  }
  if (decision.reason === 'unreadable') return { sentences: whyUnreadable(workload.pod), snippets: [] };
  const pod = readPod(workload.pod, undefined, namespace);
  if (pod === undefined) return { sentences: [], snippets: [] };
  const { reason, warnings } = decision;
  if (reason === 'no_candidate') return onNoCandidate(workload, pod, surroundings);
  if (reason === 'already_annotated') return { sentences: [warnings.length === 0 ? SCRAPED : CORRECT], snippets: [] };
  const isUnsaid = reason === 'guarded' || reason === 'https_endpoint';
  const wayOut = WAY_OUT[reason];
  return {
    sentences: wayOut === undefined ? [] : [wayOut],
    snippets: isUnsaid ? [podMonitor(workload, pod, surroundings.rules, reason)] : [],
  };
}

const SCRAPED = 'Nothing: scrapers read its own annotations.';
const CORRECT = 'Correct what the warnings name: autoscrape leaves it as it is.';

function onNamespace({ pod }: Workload, { related, namespace, unselected }: AdviceSurroundings): string {
  const optIn = related.namespace(namespace)?.optIn;
  if (optIn === 'yes')
    return `Nothing: namespace ${namespace} is opted in, so ${WHO[unselected.selector?.by ?? 'unknown']}.`;
  const { namespace: why } = unselected;
  if (optIn === 'never') return `${why?.todo ?? ''} ${why?.because ?? ''}`;
  return why?.todo ?? toOptIn(related, namespace, pod);
}

/** Who annotates the pods of a namespace that is opted in. */
const WHO: Readonly<Record<ReleaseSelector['by'], string>> = {
  webhook: 'new pods are annotated as they are created, and running ones by the reconciler',
  unknown: 'new pods are annotated as they are created, and running ones by the reconciler',
  reconciler: 'its pods are annotated by the reconciler once they run, because the webhook is switched off',
  nobody: 'its pods are annotated once autoscrape has a webhook or a reconciler in this cluster',
};

/** Returns what opts a namespace in of which nothing is known, as if it had no labels. */
function toOptIn({ inForce }: Related, name: string, pod: unknown): string {
  const unlabelled = { name: name || 'NAMESPACE', labels: new Map<string, string>() };
  const { namespace, selector } = whyUnselected(inForce, unlabelled, readAskedPod(pod).labels);
  return namespace?.todo ?? `Nothing: a namespace needs no label (${selector?.from ?? ''}).`;
}

function onNoCandidate(workload: Workload, pod: Pod, surroundings: AdviceSurroundings): Advice {
  const { rules } = surroundings;
  const candidates = podCandidates(pod, rules);
  const port = likeliest(withoutOtherProtocols(candidates, workload));
  if (surroundings.related.namespace(surroundings.namespace)?.optIn === 'never')
    return { sentences: [onNamespace(workload, surroundings)], snippets: [] };
  const asked = askedPorts(workload, pod, surroundings);
  const needed = neededSettings(pod, rules).map(
    ({ container, setting, port, path }) =>
      `Set ${setting} in container ${container}: its image then serves metrics at port ${port}${path === '/metrics' ? '' : `, ${path}`}.`,
  );
  const where = workload.template === '' ? 'the pod' : 'the pod template';
  const which = candidates.length > 1 ? ', or the port that has them' : '';
  const label =
    port === undefined
      ? `If it has metrics, label ${where} with their port: autoscrape.io/port: "8080"`
      : `If it has metrics, label ${where} autoscrape.io/port: ${labelValue(port)}${which}`;
  const correct = surroundings.remarks.length === 0 ? [] : ['Correct what the warnings name.'];
  return {
    sentences: [...correct, ...needed, label, ...asked],
    snippets: port === undefined || needed.length > 0 ? [] : [ruleSnippet(port, candidates)],
  };
}

/** Returns the ports without those that speak another protocol than HTTP by their name or number, such as a database's. */
function withoutOtherProtocols(candidates: readonly CandidatePort[], { pod }: Workload): readonly CandidatePort[] {
  const { never } = askablePorts(readAskedPod(pod), [], { mode: 'all', never: [], isInjected: () => false });
  const others = new Set(never.flatMap(({ number, why }) => (why === 'tls' ? [] : [number])));
  return candidates.filter(({ number }) => !others.has(number));
}

/** Returns a sentence on what the reconciler asks the pod, where it would. */
function askedPorts(workload: Workload, pod: Pod, { rules, related, namespace }: AdviceSurroundings): string[] {
  const asked = readAskedPod(workload.pod);
  const facts = related.namespace(namespace);
  if (facts?.optIn === 'never' || !allowsAsking(asked.labels.get(ASK_LABEL), facts?.ask)) return [];
  if (podRefusal(asked) !== undefined) return [];
  const { ask } = askablePorts(asked, servicePorts(related.services(namespace, asked.labels), asked), {
    mode: 'likely',
    never: rules.askNever,
    isInjected: (container) => rules.ignoreContainers.some((ignored) => ignored.matches(container, pod.work)),
  });
  const ports = ask.slice(0, 4).map(({ number }) => number);
  return ports.length === 0
    ? []
    : [
        `${facts?.optIn === 'no' || facts?.optIn === 'unknown' ? 'Once its namespace is opted in' : 'Where asking is on'}, the reconciler asks port${ports.length > 1 ? 's' : ''} ${ports.join(' and ')} once the pod runs, and annotates what answers.`,
      ];
}

/** Ports that exporters and management endpoints usually have: https://github.com/prometheus/prometheus/wiki/Default-port-allocations */
function isUsualForMetrics(port: number): boolean {
  return port >= 9000 && port <= 9999;
}

function likeliest(candidates: readonly CandidatePort[]): CandidatePort | undefined {
  return candidates.find(({ number }) => isUsualForMetrics(number)) ?? candidates[0];
}

function labelValue({ name, number }: CandidatePort): string {
  return name === '' ? `"${number}"` : name;
}

/** Returns a rule that finds the port by the image. */
function ruleSnippet(
  { name: portName, number, container }: CandidatePort,
  candidates: readonly CandidatePort[],
): Snippet {
  const image = container.repository.split('/').at(-1) ?? '';
  const only = candidates.every((other) => other.number === number);
  const named = portName === '' ? { portNumber: number } : { portName: escapePattern(portName) };
  const when = {
    ...(image === '' ? { container: escapePattern(container.name) } : { image: `(.*/)?${escapePattern(image)}` }),
    ...(only ? {} : named),
  };
  const name = ruleName(image || container.name);
  const inFlow = stringify(when, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
  return {
    what: `Or a rule for all pods of this ${image === '' ? 'container' : 'image'}`,
    yaml: `rules:\n  - name: ${name}\n    when: ${inFlow}\n`,
  };
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Returns a valid name of a rule. */
function ruleName(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63)
      .replace(/-+$/, '') || 'ours'
  );
}

/** Labels that controllers add to the pods of one revision. */
const OF_ONE_REVISION =
  /^(?:pod-template-hash|controller-revision-hash|pod-template-generation|statefulset\.kubernetes\.io\/.*|apps\.kubernetes\.io\/.*|batch\.kubernetes\.io\/.*)$/;
const PREFERRED = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'app',
  'k8s-app',
];

/** Returns a PodMonitor for an endpoint that annotations can't describe. */
function podMonitor(
  { name, namespace }: Workload,
  pod: Pod,
  rules: Rules,
  reason: 'guarded' | 'https_endpoint',
): Snippet {
  const found = evaluateRules(pod, rules);
  const at = found.kind === 'found' ? found.endpoints[0] : undefined;
  const candidates = podCandidates(pod, rules);
  const port = candidates.find(({ number }) => number === at?.port) ?? likeliest(candidates);
  const labels = [...pod.labels].filter(([key]) => !OF_ONE_REVISION.test(key));
  const preferred = labels.filter(([key]) => PREFERRED.includes(key));
  const matchLabels = Object.fromEntries(preferred.length > 0 ? preferred : labels.slice(0, 2));
  const secret = { name: 'SECRET', key: 'token' };
  const endpoint = {
    ...(port === undefined ? { port: 'PORT' } : port.name === '' ? { portNumber: port.number } : { port: port.name }),
    path: at?.path ?? '/metrics',
    ...(reason === 'https_endpoint'
      ? {
          scheme: 'https',
          authorization: { credentials: secret },
          tlsConfig: { ca: { secret: { name: 'SECRET', key: 'ca.crt' } } },
        }
      : { authorization: { credentials: secret } }),
  };
  return {
    what:
      'A PodMonitor to copy; its Secret holds a token, and basicAuth takes a user and a password' +
      (labels.length > 0 ? '' : '. Its pods have no label, so give them the one of its selector'),
    yaml: stringify({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PodMonitor',
      metadata: { name: name || 'NAME', ...(namespace === '' ? {} : { namespace }) },
      spec: {
        selector: { matchLabels: labels.length > 0 ? matchLabels : { app: name || 'NAME' } },
        podMetricsEndpoints: [endpoint],
      },
    }),
  };
}
