import { objectIn, text } from '../core/json.ts';
import { askPod, choosePort } from '../ask/ask-pod.ts';
import type { AskTools, PortAsked } from '../ask/ask-port.ts';
import { MARKER_KEY, readMarker } from '../core/annotations/marker.ts';
import { allowsAsking, ASK_LABEL } from '../core/ask-label.ts';
import { isReady } from '../core/ask/ready-to-ask.ts';
import { classOf, VERDICTS } from '../core/ask/verdict.ts';
import { decide } from '../core/decide.ts';
import { readPod } from '../core/pod/pod.ts';
import { ownContainers } from '../core/rules/evaluate-rules.ts';
import type { Rules, Shipped } from '../core/rules/parse.ts';
import type { Result } from '../core/result.ts';
import { podPath } from '../kube/api-paths.ts';
import type { Kube } from '../kube/client.ts';
import { planAsk } from '../reconcile/ask-plan.ts';
import type { AskPlan, AskSettings } from '../reconcile/ask-plan.ts';
import { ASKED_RULE, beforeAnnotated, isLeftToAsking } from '../reconcile/decide-asked.ts';
import { finderOf, isPrintable, learnedRule } from './learned-rule.ts';
import type { Identity, LearnedEndpoint, LearnedRule } from './learned-rule.ts';
import { controllerPath, groupPods, labelsAsSelector, lastingSelector } from './workload.ts';
import type { Workload } from './workload.ts';

/** What learning needs. */
export interface LearnOptions {
  readonly kube: Pick<Kube, 'request'>;
  readonly namespace: string;
  /** Whether the namespace is in an Istio mesh. */
  readonly mesh: boolean;
  /** The value of the namespace's label autoscrape.io/ask. */
  readonly askLabel: string | undefined;
  /** The rules that are in use: what they find is not learned. */
  readonly rules: Rules;
  readonly shipped: Shipped;
  readonly settings: AskSettings;
  readonly pods: readonly unknown[];
  readonly services: readonly unknown[];
  /** Returns how a pod is asked. */
  readonly toolsFor: (pod: string) => AskTools;
  /** Called before each workload, with how many there are. */
  readonly onProgress: (done: number, of: number) => void;
  /** Called with a sentence about a workload that gets no rule. */
  readonly onNote: (note: string) => void;
  /** Ends learning after the current request. */
  readonly signal: AbortSignal;
}

/** What was learned. */
export interface Learned {
  readonly rules: readonly LearnedRule[];
  /** Workloads that the rules in use decide. */
  readonly known: number;
}

/** The result for one workload: where its metrics are, that it has none, or why that is unknown. */
type Finding =
  | { readonly kind: 'metrics'; readonly endpoint: LearnedEndpoint }
  | { readonly kind: 'none' }
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown'; readonly because: string };

/**
 * Returns rules for the workloads of a namespace whose metrics only asking finds, one pod each: from
 * the marker where the reconciler has asked already, else by asking. A workload about which nothing
 * certain is known gets a note and no rule.
 */
export async function learn(options: LearnOptions): Promise<Learned> {
  const { pods, onNote, onProgress, signal } = options;
  const workloads = groupPods(pods);
  const rules: LearnedRule[] = [];
  let known = 0;
  for (const [done, workload] of workloads.entries()) {
    if (signal.aborted) break;
    onProgress(done, workloads.length);
    const finding = await findMetrics(workload, options);
    if (finding.kind === 'known') known += 1;
    if (finding.kind === 'unknown') onNote(`${titleOf(workload)}: no rule: ${finding.because}`);
    if (finding.kind === 'known' || finding.kind === 'unknown') continue;
    const endpoint = finding.kind === 'metrics' ? finding.endpoint : undefined;
    const rule = await ruleFor(workload, endpoint, workloads, options);
    if (rule.ok) rules.push(rule.value);
    else onNote(`${titleOf(workload)}: no rule: ${rule.error}`);
  }
  return { rules, known };
}

/** Names are those of the API server, and go to a terminal. */
function titleOf({ kind, name }: Workload): string {
  return /^[\w.-]+$/.test(kind + name) ? `${kind} ${name}` : 'a workload whose name is not valid';
}

async function findMetrics(workload: Workload, options: LearnOptions): Promise<Finding> {
  const { namespace, mesh, askLabel, rules, services, settings } = options;
  const answered = workload.pods.map((pod) => beforeAsked(pod, rules)).find((before) => before !== undefined);
  const pod = workload.pods.find(isReady);
  const object = answered?.object ?? (pod === undefined ? undefined : (beforeAnnotated(pod, { rules })?.object ?? pod));
  if (object === undefined) return { kind: 'unknown', because: 'none of its pods is ready' };
  const decision = decide(object, rules, { mesh, namespace });
  if (!isLeftToAsking(decision)) return { kind: 'known' };
  const surroundings = { rules, settings, services, askLabel };
  const plan = planAsk(object, decision, surroundings);
  if (answered !== undefined) {
    // What was found is written down even where asking has been switched off since.
    const planned = 'left' in plan ? undefined : plan.ports.find(({ port }) => port === answered.endpoint.port);
    return { kind: 'metrics', endpoint: endpointIn(object, options, planned?.container, answered.endpoint) };
  }
  if ('left' in plan) return left(plan, askLabel);
  return ask(object, plan, options);
}

/** Returns the pod without its annotations by the reconciler, where these came from an answer. */
function beforeAsked(pod: unknown, rules: Rules): ReturnType<typeof beforeAnnotated> {
  const value = objectIn(objectIn(pod, 'metadata'), 'annotations')[MARKER_KEY];
  const marker = typeof value === 'string' ? readMarker(value) : undefined;
  return marker?.rule === ASKED_RULE ? beforeAnnotated(pod, { rules }) : undefined;
}

function left(plan: Exclude<ReturnType<typeof planAsk>, AskPlan>, askLabel: string | undefined): Finding {
  switch (plan.left) {
    case 'switched_off': {
      const where = allowsAsking(undefined, askLabel) ? 'its' : "its namespace's";
      return { kind: 'unknown', because: `${where} label ${ASK_LABEL} does not allow asking` };
    }
    case 'no_port':
      return { kind: 'unknown', because: 'it has no port that may be asked' };
    case 'service_annotated':
      return { kind: 'unknown', because: 'a Service that sends traffic to it is annotated, and scraped already' };
    case 'refused':
      return { kind: 'unknown', because: `its pods must not be asked (${plan.why})` };
  }
}

async function ask(object: unknown, plan: AskPlan, options: LearnOptions): Promise<Finding> {
  const name = text(objectIn(object, 'metadata').name);
  const answers = await askPod(plan.address, plan.ports, options.toolsFor(name));
  if (!(await isUnchanged(object, name, options)))
    return { kind: 'unknown', because: 'its pod was replaced while it was asked: run this again' };
  const chosen = choosePort(answers, plan.ports);
  if (chosen !== undefined) {
    const { verdict, port, path } = chosen;
    if (verdict.key === 'metrics_empty' && !verdict.sure)
      return { kind: 'unknown', because: `port ${port}: an empty page, which may be no metrics: run this again later` };
    const planned = plan.ports.find((each) => each.port === port);
    return { kind: 'metrics', endpoint: endpointIn(object, options, planned?.container, { port, path }) };
  }
  const unclear = answers.filter((answer) => !isNo(answer));
  return unclear.length === 0 ? { kind: 'none' } : { kind: 'unknown', because: unclear.map(describe).join(' ') };
}

/** Returns whether the port certainly serves no metrics: what is no HTTP never will. */
function isNo({ verdict }: PortAsked): boolean {
  return classOf(verdict) === 'no_metrics' || verdict.key === 'not_http';
}

function describe({ port, verdict: { key } }: PortAsked): string {
  const { sentence, remedy } = VERDICTS[key];
  return `port ${port} (${key}): ${sentence}${remedy === '' ? '' : ` ${remedy}`}`;
}

/** Returns whether the pod that was asked is still there: addresses and names are used again. */
async function isUnchanged(object: unknown, name: string, { kube, namespace, signal }: LearnOptions): Promise<boolean> {
  const read = await kube.request({ method: 'GET', path: podPath(namespace, name), signal });
  const same = (key: 'metadata' | 'status', field: string): boolean =>
    read.ok && text(objectIn(read.value, key)[field]) === text(objectIn(object, key)[field]);
  return same('metadata', 'uid') && same('status', 'podIP');
}

/** Returns the endpoint with its container: the first one, where only a Service names the port. */
function endpointIn(
  object: unknown,
  { rules }: LearnOptions,
  planned: string | undefined,
  { port, path }: { readonly port: number; readonly path: string },
): LearnedEndpoint {
  const pod = readPod(object);
  const own = pod === undefined ? [] : ownContainers([...pod.containers, ...pod.sidecars], rules);
  const declaring = own.find(({ candidates }) => candidates.some(({ number }) => number === port));
  const container = declaring ?? own.find(({ name }) => name === planned) ?? own[0];
  return { container: container?.name ?? '', port, declared: declaring !== undefined, path };
}

/** Returns the rule, or why there is none: it must find the workload, and no other one. */
async function ruleFor(
  workload: Workload,
  endpoint: LearnedEndpoint | undefined,
  workloads: readonly Workload[],
  options: LearnOptions,
): Promise<Result<LearnedRule, string>> {
  const { namespace, shipped } = options;
  const identity = await identify(workload, endpoint?.container, options);
  if (identity === undefined) return { ok: false, error: 'it has no controller, labels or image to find it by' };
  const rule = learnedRule(namespace, workload, identity, endpoint);
  const finds = isPrintable(namespace, workload, rule) ? finderOf(rule, namespace, shipped) : undefined;
  if (finds === undefined) return { ok: false, error: 'its names and labels are not all valid' };
  if (!workload.pods.some(finds)) return { ok: false, error: 'none would find its pods' };
  const other = workloads.find((each) => each !== workload && each.pods.some(finds));
  return other === undefined
    ? { ok: true, value: rule }
    : { ok: false, error: `its labels also select pods of ${titleOf(other)}` };
}

/** Returns what finds the workload's pods of this version and of later ones. */
async function identify(
  { controller, pods }: Workload,
  container: string | undefined,
  { kube, namespace, rules, signal }: LearnOptions,
): Promise<Identity | undefined> {
  if (controller !== undefined) {
    const read = await kube.request({ method: 'GET', path: controllerPath(namespace, controller), signal });
    const podLabels = read.ok ? lastingSelector(read.value) : undefined;
    if (podLabels !== undefined) return { podLabels };
  }
  const podLabels = labelsAsSelector(pods[0]);
  if (podLabels !== undefined) return { podLabels };
  const pod = readPod(pods[0]);
  const own = pod === undefined ? [] : ownContainers(pod.containers, rules);
  const image = (own.find(({ name }) => name === container) ?? own[0])?.repository;
  return image === undefined || image === '' ? undefined : { image };
}
