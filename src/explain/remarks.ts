import { nameOf } from '../core/metadata.ts';
import { DIALECT_NAMES, DIALECTS } from '../core/annotations/dialects/dialects.ts';
import type { Dialect } from '../core/annotations/dialects/dialect.ts';
import { DEFAULT_KEYS, readScrapeAnnotations } from '../core/annotations/scrape-keys.ts';
import type { AnnotationKeys } from '../core/annotations/scrape-keys.ts';
import { MARKER_KEY } from '../core/annotations/marker.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { AskedPod } from '../core/ask/asked-pod.ts';
import { annotatedService, servicePorts } from '../core/ask/service-ports.ts';
import { isObject, member, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { misspeltAnnotations } from '../core/misspelt-annotations.ts';
import type { Rules } from '../core/rules/rule.ts';
import { groupOf, isBuiltIn } from '../manifest/kinds.ts';
import type { Workload } from '../manifest/workload.ts';
import { selecting, targetsOf } from './monitor-targets.ts';
import type { Related } from './related-objects.ts';
import type { Outcome } from './unselected.ts';

/** What is said about a workload besides the decision on its pod. */
export interface Remarks {
  /** What somebody should correct. */
  readonly warnings: readonly string[];
  /** What is good to know. */
  readonly notes: readonly string[];
}

/**
 * Returns what the rest of the input says about a workload: annotations that stand in the wrong place or are misspelt, and
 * Services and monitors that make targets of the same pods. `namespace` is the one that its pods get.
 */
export function remarksOn(
  workload: Workload,
  decision: Outcome,
  related: Related,
  rules: Rules,
  namespace: string,
): Remarks {
  const pod = readAskedPod(workload.pod);
  const keys = rules.annotationKeys;
  const services = related.services(namespace, pod.labels);
  return {
    warnings: [
      ...onTheOwner(workload, pod, keys),
      ...misspeltAnnotations(pod, keys),
      ...servicePortInstead(pod, services, keys),
      ...doubleTargets(pod, decision, services, keys),
    ],
    notes: [
      ...onlyTheService(pod, decision, services),
      ...monitorNotes(pod, decision, related, services, namespace, keys),
      ...dialectsOnServices(pod, decision, services),
      ...jobNotes(workload, decision),
    ],
  };
}

/** Labels and annotations of the workload itself, which nobody reads there. */
function onTheOwner(workload: Workload, pod: AskedPod, keys: AnnotationKeys): string[] {
  if (workload.template === '') return [];
  const metadata = member(workload.object, 'metadata');
  const scrape: ReadonlySet<string> = new Set(Object.values(keys));
  const misplaced = (what: 'annotations' | 'labels', isOurs: (key: string) => boolean): string[] => {
    const map = member(metadata, what);
    const found = isObject(map) ? Object.keys(map).filter((key) => isOurs(key) && !pod[what].has(key)) : [];
    return found.length === 0
      ? []
      : [
          `The ${workload.kind} itself has the ${found.length === 1 ? what.slice(0, -1) : what} ${joined(found)}, which nobody reads there: ` +
            `move ${found.length === 1 ? 'it' : 'them'} to ${workload.template}.metadata.${what}.`,
        ];
  };
  return [
    ...misplaced('annotations', (key) => scrape.has(key)),
    ...misplaced('labels', (key) => key.startsWith('autoscrape.io/') && key !== MARKER_KEY),
  ];
}

/** The port of a Service in place of the container's. */
function servicePortInstead(pod: AskedPod, services: readonly JsonObject[], keys: AnnotationKeys): string[] {
  const port = Number(pod.annotations.get(keys.port));
  if (!Number.isInteger(port) || pod.containers.some(({ ports }) => ports.some(({ number }) => number === port)))
    return [];
  return selecting(services, pod).flatMap((service) => {
    const ports = member(member(service, 'spec'), 'ports');
    const written = Array.isArray(ports) ? ports.find((item: unknown) => member(item, 'port') === port) : undefined;
    const [target] = written === undefined ? [] : servicePorts([withPorts(service, [written])], pod);
    return target === undefined || target.number === port
      ? []
      : [
          `${keys.port} is ${port}, the port of Service ${nameOf(service)}, which sends it to port ${target.number} of the ` +
            `pod: scrapers go to the pod, so write "${target.number}".`,
        ];
  });
}

/** Returns whether a warning of {@link remarksOn} is about two targets of one pod, of its annotations and of its Service's. */
export function isAboutDoubles(warning: string): boolean {
  return warning.includes(MAKE_TWO);
}

const MAKE_TWO = 'so the charts of Prometheus and VictoriaMetrics make 2 targets';

// Services' annotations are read by the charts' own jobs, whatever keys the rules write on pods.

/** A Service with scrape annotations, beside a pod that has them or gets them. */
function doubleTargets(
  pod: AskedPod,
  decision: Outcome,
  services: readonly JsonObject[],
  keys: AnnotationKeys,
): string[] {
  const service = becomesTarget(pod, decision, keys) ? annotatedService(services, pod) : undefined;
  return service === undefined
    ? []
    : [
        `Service ${service} has ${DEFAULT_KEYS.scrape}: "true" too, ${MAKE_TWO} ` +
          "of each pod; Azure's, Grafana's and autoscrape's ScrapeConfig make 1. Remove the annotations from the Service.",
      ];
}

/** A Service with scrape annotations, beside a pod that has none and gets none. */
function onlyTheService(pod: AskedPod, decision: Outcome, services: readonly JsonObject[]): string[] {
  if (decision.outcome === 'annotate' || decision.reason !== 'no_candidate') return [];
  const name = annotatedService(services, pod);
  const service = services.find((one) => nameOf(one) === name);
  if (name === undefined || service === undefined) return [];
  const stated = member(member(member(service, 'metadata'), 'annotations'), DEFAULT_KEYS.port);
  const port = typeof stated === 'string' ? stated : servicePorts([service], pod)[0]?.number;
  const label = port === undefined ? '' : ` For that, label the pod autoscrape.io/port: "${port}".`;
  return [
    `Only Service ${name} is annotated: the charts of Prometheus and VictoriaMetrics scrape its endpoints, and scrapers that ` +
      `read pods find nothing.${label}`,
  ];
}

function monitorNotes(
  pod: AskedPod,
  decision: Outcome,
  { monitors }: Related,
  services: readonly JsonObject[],
  namespace: string,
  keys: AnnotationKeys,
): string[] {
  return monitors.flatMap((monitor) => {
    const targets = targetsOf(monitor, pod, services, namespace);
    if (targets === undefined) return [];
    const called = `${monitor.kind} ${monitor.name}`;
    if (targets === 0)
      return [`${called} selects this pod, but names no port that a container declares: it makes no target.`];
    const made = `by it the Prometheus Operator's Prometheus makes ${targets} target${targets === 1 ? '' : 's'} of the pod`;
    return becomesTarget(pod, decision, keys)
      ? [
          `${called} selects this pod too: ${made}, and each scraper that reads the annotations 1 more. Where one Prometheus ` +
            'does both, keep one of them: the pod label autoscrape.io/inject: disabled leaves the annotations away.',
        ]
      : [`${called} selects this pod: ${made}.`];
  });
}

/** A Service with which the consumer of a dialect scrapes the pod once more. */
function dialectsOnServices(pod: AskedPod, decision: Outcome, services: readonly JsonObject[]): string[] {
  if (decision.outcome === 'skip') return [];
  const { annotations } = decision;
  return DIALECT_NAMES.flatMap((name) => {
    const { consumer, onServices: key }: Dialect = DIALECTS[name];
    if (key === undefined || !Object.hasOwn(annotations, key)) return [];
    return selecting(services, pod)
      .filter((service) => member(member(own(service, 'metadata'), 'annotations'), key) === 'true')
      .map(
        (service) =>
          `Service ${nameOf(service)} has ${key}: "true" too, with which ${consumer} scrapes what is behind it once more: ` +
          `take that off the Service, or ${name} out of dialects.`,
      );
  });
}

/** KEP-753 and docs/consumers.md: the pods of a finished Job stay until the Job is deleted. */
function jobNotes({ apiVersion, kind, object }: Workload, decision: Outcome): string[] {
  const isJob = (kind === 'Job' || kind === 'CronJob') && isBuiltIn(groupOf(apiVersion));
  if (!isJob || decision.outcome === 'skip') return [];
  const spec = member(object, 'spec');
  const job = kind === 'Job' ? spec : member(member(spec, 'jobTemplate'), 'spec');
  return member(job, 'ttlSecondsAfterFinished') === undefined
    ? [
        'Finished pods of a Job stay targets, which are down, for VictoriaMetrics and Azure, until the Job is deleted: ' +
          'set ttlSecondsAfterFinished.',
      ]
    : [];
}

/** Returns whether scrapers that read annotations make a target of the pod, now or once it is annotated. */
function becomesTarget({ annotations }: AskedPod, decision: Outcome, keys: AnnotationKeys): boolean {
  return decision.outcome === 'annotate' || readScrapeAnnotations(keys, annotations).scrape === 'true';
}

function withPorts(service: JsonObject, ports: readonly unknown[]): JsonObject {
  const spec = own(service, 'spec');
  return { ...service, spec: { ...(isObject(spec) ? spec : {}), ports } };
}

function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
