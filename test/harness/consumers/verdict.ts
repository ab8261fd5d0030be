import type { Case } from './case.ts';
import type { ConsumerName } from './consumer.ts';
import { declares, effectivePort } from './declared.ts';

/** What a consumer makes of a pod. */
export type Outcome =
  /** Exactly one target, and the right one. */
  | 'one'
  /** Exactly one target for each of several endpoints. */
  | 'all'
  /** No target. */
  | 'none'
  /** Several targets, all at the right address: every sample twice. */
  | 'twice'
  /** One target, right but for http in place of https. */
  | 'plain'
  /** Targets that point elsewhere. */
  | 'wrong'
  /** Targets where nothing should be scraped any more. */
  | 'stale'
  /** Whatever the pod's author has written: we added nothing. */
  | 'theirs';

/** Returns what the targets' addresses come to, for a pod with that IP. */
export function outcomeOf({ wanted }: Case, ip: string, urls: readonly string[]): Outcome {
  if (wanted.kind === 'theirs') return 'theirs';
  if (urls.length === 0) return 'none';
  if (wanted.kind === 'none') return 'stale';
  const right = wanted.url(ip);
  const further = wanted.further(ip);
  if (further.length > 0 && urls.toSorted().join(' ') === [right, ...further].toSorted().join(' ')) return 'all';
  if (urls.every((url) => url === right)) return urls.length === 1 ? 'one' : 'twice';
  return urls.length === 1 && urls[0]?.replace(/^http:/, 'https:') === right ? 'plain' : 'wrong';
}

/** A case in which a consumer can't read what is written as the others do. Each is explained in docs/consumers.md. */
export interface Exception {
  readonly name: string;
  readonly consumers: readonly ConsumerName[];
  readonly outcome: Outcome;
  readonly applies: (subject: Case, ip: string) => boolean;
}

/** All exceptions; of those that apply to a pod and a consumer, the first one says what happens. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'own keys',
    consumers: ['Community chart', 'Our ScrapeConfig', 'VictoriaMetrics', 'Azure', 'Grafana'],
    outcome: 'none',
    applies: ({ usualKeys }) => !usualKeys,
  },
  {
    name: 'several',
    consumers: ['Our ScrapeConfig'],
    outcome: 'all',
    applies: ({ wanted }, ip) => wanted.kind === 'endpoint' && wanted.further(ip).length > 0,
  },
  {
    name: 'slow',
    consumers: ['Our ScrapeConfig', 'VictoriaMetrics', 'Azure', 'Grafana'],
    outcome: 'none',
    applies: ({ pod }) => pod.metadata.annotations?.['prometheus.io/scrape'] === undefined,
  },
  {
    name: 'finished',
    consumers: ['Azure'],
    outcome: 'stale',
    applies: ({ status }) => status.phase === 'Succeeded' || status.phase === 'Failed',
  },
  {
    name: 'not ready',
    consumers: ['Grafana'],
    outcome: 'none',
    applies: ({ status }) => status.phase === 'Running' && !status.ready,
  },
  {
    name: 'native sidecar',
    consumers: ['VictoriaMetrics'],
    outcome: 'none',
    applies: (subject) => declares(subject, 'regular') === 0 && declares(subject, 'sidecar') > 0,
  },
  {
    name: 'Istio',
    consumers: ['VictoriaMetrics'],
    outcome: 'none',
    applies: (subject) => effectivePort(subject) === 15020,
  },
  {
    name: 'undeclared',
    consumers: ['VictoriaMetrics'],
    outcome: 'none',
    applies: (subject) => declares(subject, 'regular') === 0,
  },
  {
    name: 'declared twice',
    consumers: ['VictoriaMetrics'],
    outcome: 'twice',
    applies: (subject) => declares(subject, 'regular') > 1,
  },
  {
    name: 'https',
    consumers: ['VictoriaMetrics', 'Azure'],
    outcome: 'plain',
    applies: ({ pod }) => pod.metadata.annotations?.['prometheus.io/scheme'] === 'https',
  },
  {
    name: 'Service',
    consumers: ['Community chart', 'VictoriaMetrics'],
    outcome: 'twice',
    applies: ({ service }) => service?.['prometheus.io/scrape'] === 'true',
  },
  {
    name: 'IPv6',
    consumers: ['Azure'],
    outcome: 'wrong',
    applies: (subject, ip) => ip.includes(':') && declares(subject, 'other') > 0,
  },
  {
    name: 'containers',
    consumers: ['Grafana'],
    outcome: 'twice',
    applies: ({ pod }) =>
      pod.spec.containers.length > 1 && pod.metadata.annotations?.['k8s.grafana.com/metrics.container'] === undefined,
  },
];

/** Returns what must come out: one right target or none, or what the named exception says. */
export function predict(subject: Case, ip: string, consumer: ConsumerName): { outcome: Outcome; exception?: string } {
  if (subject.wanted.kind === 'theirs') return { outcome: 'theirs' };
  const isWritten = subject.decision.outcome === 'annotate';
  const exception = isWritten
    ? EXCEPTIONS.find(({ consumers, applies }) => consumers.includes(consumer) && applies(subject, ip))
    : undefined;
  if (exception !== undefined) return { outcome: exception.outcome, exception: exception.name };
  return { outcome: subject.wanted.kind === 'endpoint' ? 'one' : 'none' };
}
