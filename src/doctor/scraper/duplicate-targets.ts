import { MARKER_KEY, readMarker } from '../../core/annotations/marker.ts';
import { DEFAULT_KEYS } from '../../core/annotations/scrape-keys.ts';
import { objectIn } from '../../core/json.ts';
import type { KnownPod } from './check-targets.ts';
import { finding, quoted } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { annotationLabel } from './loaded-configuration.ts';
import type { Target } from './prometheus-targets.ts';

/** Returns which kind of double the targets with one address are, and what ends it. */
export function explainDouble(twins: readonly Target[], prometheus: string, pod: KnownPod): Finding {
  const { kind, todo } = kindOf(twins, pod);
  const pools = [...new Set(twins.map(({ pool }) => quoted(pool)))].join(', ');
  return finding(
    'target-doubled',
    `scraped ${twins.length} times`,
    `${prometheus} has ${twins.length} targets with the same address, of ${pools}: ${kind}`,
    todo,
  );
}

function kindOf(
  twins: readonly Target[],
  { pod, namespace, key }: KnownPod,
): { readonly kind: string; readonly todo: string } {
  const services = [...new Set(twins.flatMap(({ discovered }) => discovered['__meta_kubernetes_service_name'] ?? []))];
  // The rules' keys are those of pods; a job of Services may read the usual one all the same.
  for (const on of new Set([key, DEFAULT_KEYS.scrape])) {
    const annotated = twins.find(({ discovered }) => discovered[annotationLabel(on, 'service')] === 'true');
    const service = annotated?.discovered['__meta_kubernetes_service_name'];
    if (service !== undefined)
      return {
        kind: `Service ${quoted(service)} is annotated as well as the pod.`,
        todo: `take it off the Service: kubectl annotate service ${quoted(service)} -n ${namespace} ${on}-`,
      };
  }
  const monitors = [
    ...new Set(twins.flatMap(({ pool }) => /^(?:service|pod)Monitor\/[^/]+\/[^/]+/.exec(pool)?.[0] ?? [])),
  ];
  const [monitor = ''] = monitors;
  const [kind = '', place = '', name = ''] = monitor.split('/');
  if (monitors.length > 1)
    return {
      kind: 'two monitors select it.',
      todo: `kubectl delete ${kind.toLowerCase()} ${quoted(name)} -n ${quoted(place)}`,
    };
  if (services.length > 1 && monitor !== '')
    return {
      kind: `the monitor selects the Services ${services.map(quoted).join(' and ')}, which lead to the same pod.`,
      todo: `Take the label that ${quoted(monitor)} selects off the headless one.`,
    };
  if (monitor !== '' && twins.some(({ pool }) => !pool.startsWith(monitor))) {
    // The monitor may select other pods too, so that it comes second; what an author wrote no label takes away.
    const marker = objectIn(objectIn(pod, 'metadata'), 'annotations')[MARKER_KEY];
    const isOurs = Object.hasOwn(readMarker(typeof marker === 'string' ? marker : undefined)?.added ?? {}, key);
    const first = isOurs ? 'label the pod template autoscrape.io/inject: disabled' : `take ${key} off the pod template`;
    return {
      kind: 'it is annotated, and a monitor selects it.',
      todo: `${first}; or, where the monitor has no other pods: kubectl delete ${kind.toLowerCase()} ${quoted(name)} -n ${quoted(place)}`,
    };
  }
  const containers = new Set(twins.map(({ discovered }) => discovered['__meta_kubernetes_pod_container_name']));
  if (new Set(twins.map(({ pool }) => pool)).size === 1 && containers.size > 1)
    return {
      kind: 'one for each of its containers, because the job keeps their names as a label.',
      todo: 'Drop the container label in the job, or keep only targets whose container has the annotated port.',
    };
  return { kind: 'several scrape jobs select it.', todo: 'Keep one of the scrape jobs.' };
}
