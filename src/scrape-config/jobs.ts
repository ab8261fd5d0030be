import { keysOfSlot, SLOTS } from '../core/annotations/numbered-keys.ts';
import type { AnnotationKeys } from '../core/annotations/scrape-keys.ts';

// What a scraper needs to read the annotations of all endpoints. chart/templates/monitoring/scrapeconfig.yaml has the same
// jobs, and a test compares them.

/** One step of Prometheus' relabelling, with the names that the Prometheus Operator has for its fields. */
export interface Relabeling {
  readonly sourceLabels?: readonly string[];
  readonly regex?: string;
  readonly replacement?: string;
  readonly targetLabel?: string;
  readonly action: 'keep' | 'drop' | 'keepequal' | 'dropequal' | 'replace' | 'labelmap';
}

/** A job on the pods of the cluster. */
export interface PodJob {
  /** The number of the endpoint; 1 for the one that the keys without a number carry. */
  readonly slot: number;
  readonly relabelings: readonly Relabeling[];
}

/** Returns a job for each endpoint that a pod may have: a target has one port and one path. */
export function podJobs(keys: AnnotationKeys): readonly PodJob[] {
  return [
    { slot: 1, relabelings: firstEndpoint(keys) },
    ...SLOTS.map((slot) => {
      const numbered = keysOfSlot(keys, slot);
      return { slot, relabelings: furtherEndpoint(keys, numbered) };
    }),
  ];
}

/** Returns the label in which Prometheus' discovery gives the annotation of a pod. */
export function labelOf(key: string): string {
  return `__meta_kubernetes_pod_annotation_${key.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`;
}

const ENDED: Relabeling = {
  sourceLabels: ['__meta_kubernetes_pod_phase'],
  regex: 'Pending|Succeeded|Failed|Completed',
  action: 'drop',
};

function firstEndpoint(keys: AnnotationKeys): readonly Relabeling[] {
  const address = ['__meta_kubernetes_pod_ip', labelOf(keys.port)];
  return [
    keep(labelOf(keys.scrape), 'true'),
    ENDED,
    ...schemeAndPath(keys),
    // There is one target for each declared port until the address is the same for all: then they are one.
    replace(address, '__address__', { regex: '([0-9.]+);([0-9]+)', replacement: '$1:$2' }),
    replace(address, '__address__', { regex: '([0-9a-fA-F:.]*:[0-9a-fA-F:.]*);([0-9]+)', replacement: '[$1]:$2' }),
    ...names([]),
  ];
}

function furtherEndpoint(
  keys: AnnotationKeys,
  numbered: Pick<AnnotationKeys, 'port' | 'path' | 'scheme'>,
): readonly Relabeling[] {
  const port = labelOf(numbered.port);
  return [
    keep(labelOf(keys.scrape), 'true'),
    keep(port, '[0-9]+'),
    ENDED,
    // What the first job scrapes already.
    { sourceLabels: [labelOf(keys.port)], targetLabel: port, action: 'dropequal' },
    // Of the declared ports the one that the annotation names, so that the container is the one that declares it.
    { sourceLabels: [port], targetLabel: '__meta_kubernetes_pod_container_port_number', action: 'keepequal' },
    keep('__meta_kubernetes_pod_container_port_protocol', 'TCP'),
    ...schemeAndPath(numbered),
    ...names([replace(['__meta_kubernetes_pod_container_name'], 'container')]),
  ];
}

function schemeAndPath({ scheme, path }: Pick<AnnotationKeys, 'path' | 'scheme'>): readonly Relabeling[] {
  return [
    replace([labelOf(scheme)], '__scheme__', { regex: '(https?)' }),
    replace([labelOf(path)], '__metrics_path__', { regex: '(.+)' }),
  ];
}

function names(container: readonly Relabeling[]): readonly Relabeling[] {
  return [
    { regex: '__meta_kubernetes_pod_label_(.+)', action: 'labelmap' },
    replace(['__meta_kubernetes_namespace'], 'namespace'),
    replace(['__meta_kubernetes_pod_name'], 'pod'),
    ...container,
    replace(['__meta_kubernetes_pod_node_name'], 'node'),
  ];
}

function keep(label: string, regex: string): Relabeling {
  return { sourceLabels: [label], regex, action: 'keep' };
}

function replace(
  sourceLabels: readonly string[],
  targetLabel: string,
  match: Pick<Relabeling, 'regex' | 'replacement'> = {},
): Relabeling {
  return { sourceLabels, ...match, targetLabel, action: 'replace' };
}
