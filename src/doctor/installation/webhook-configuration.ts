import { nameOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { PodSelectors } from '../../core/pod-selectors.ts';
import type { ServicePort } from '../../kube/pod-proxy.ts';
import { ofWebhooks } from '../../manifest/release-selectors.ts';
import { releaseOf } from './helm-release.ts';
import type { Release } from './helm-release.ts';

// MutatingWebhookConfigurations: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

/** The label that the chart gives all of its objects. */
const NAME_LABEL = 'app.kubernetes.io/name';

/** What the configuration of our webhook says. */
export interface WebhookConfiguration {
  readonly name: string;
  readonly release: Release;
  /** The chart's version from its label, such as `0.1.0`; empty where there is none. */
  readonly chart: string;
  /** The Service that the API server calls; undefined where it calls a URL. */
  readonly service: Pick<ServicePort, 'namespace' | 'service'> | undefined;
  /** The authorities that the API server trusts, PEM; empty where one of the webhooks has none. */
  readonly authorities: string;
  /** Which pods it is called for. */
  readonly selectors: PodSelectors;
}

/** Returns our webhooks' configurations among all: one for each release of the chart. */
export function findConfigurations(configurations: readonly JsonObject[]): readonly WebhookConfiguration[] {
  return configurations.filter((object) => labelsOf(object)[NAME_LABEL] === 'autoscrape').map(readConfiguration);
}

function readConfiguration(ours: JsonObject): WebhookConfiguration {
  const clients = objectsIn(ours, 'webhooks').map((webhook) => objectIn(webhook, 'clientConfig'));
  const service = objectIn(clients[0], 'service');
  const bundles = clients.map(({ caBundle }) => text(caBundle));
  return {
    name: nameOf(ours),
    release: releaseOf(ours, text(service['namespace'])),
    chart: text(labelsOf(ours)['helm.sh/chart']).replace(/^autoscrape-/, ''),
    service:
      text(service['name']) === ''
        ? undefined
        : { namespace: text(service['namespace']), service: text(service['name']) },
    authorities: bundles.includes('') ? '' : Buffer.from(bundles[0] ?? '', 'base64').toString(),
    selectors: ofWebhooks(ours),
  };
}

/**
 * Returns the name of a configuration of Istio's injector that comes before ours, or undefined. The
 * API server calls webhooks in the order of their configurations' names.
 */
export function istioBefore(configurations: readonly JsonObject[], name: string): string | undefined {
  return configurations
    .filter(isIstioInjector)
    .map(nameOf)
    .find((istio) => istio < name);
}

/** Istio's chart names it so, with the revision after it: https://istio.io/latest/docs/ops/diagnostic-tools/ */
function isIstioInjector(object: JsonObject): boolean {
  return labelsOf(object)['app'] === 'sidecar-injector' || nameOf(object).startsWith('istio-sidecar-injector');
}

function labelsOf(object: JsonObject): JsonObject {
  return objectIn(objectIn(object, 'metadata'), 'labels');
}
