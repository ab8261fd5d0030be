import { nameOf } from '../../core/metadata.ts';
import { objectIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import type { Rules } from '../../core/rules/rule.ts';
import { VERSION } from '../../process/version.ts';
import { flagOf } from '../../manifest/container-flag.ts';
import { COLLECTIONS } from '../object-cache.ts';
import { releaseOf, upgradeOf } from './helm-release.ts';
import type { Release } from './helm-release.ts';
import { finding, quoted } from '../finding.ts';
import type { Line, Section } from '../finding.ts';
import { DEPLOYMENTS, OURS, WEBHOOK_CONFIGURATIONS } from '../../live/installed-objects.ts';
import { ofComponent, unchecked, valueOf } from './our-objects.ts';
import type { Installation, InstallationOptions } from './our-objects.ts';
import { readOurMetrics } from './our-metrics.ts';
import { readPage } from './read-page.ts';
import { lookAtGuard, lookAtReconciler } from './read-reconciler.ts';
import { lookAtWebhook } from './read-webhook.ts';
import { tryPod } from './try-pod.ts';
import { findConfigurations, istioBefore } from './webhook-configuration.ts';
import type { WebhookConfiguration } from './webhook-configuration.ts';

/** Returns what is found about the installation: webhook, rules and reconciler; of several releases each. Changes nothing. */
export async function checkInstallation(options: InstallationOptions): Promise<Section> {
  const title = 'the installation of autoscrape';
  const configurations = await options.cluster.list(WEBHOOK_CONFIGURATIONS);
  if (!configurations.ok)
    return { title, lines: [{ state: 'unchecked', title: 'the installation', needs: configurations.error }] };
  const releases = findConfigurations(configurations.value);
  const switchedOff = await withoutWebhook(options, releases);
  if (releases.length === 0) return { title, lines: switchedOff };
  const [failOpen, ...found] = await Promise.all([
    countFailOpen(options),
    ...releases.map((ours) => lookAtRelease(options, ours, configurations.value)),
  ]);
  return { title, lines: [checkRules(options.rules), ...found.flat(), ...switchedOff, failOpen] };
}

async function lookAtRelease(
  options: InstallationOptions,
  ours: WebhookConfiguration,
  configurations: readonly JsonObject[],
): Promise<readonly Line[]> {
  const { cluster, rules } = options;
  const namespace = ours.service?.namespace;
  if (namespace === undefined)
    return [{ state: 'unchecked', title: `the webhook of ${ours.name}`, needs: 'a Service: it is called by a URL' }];
  const labelSelector = `${OURS},app.kubernetes.io/instance=${ours.release.name}`;
  const [pods, deployments] = await Promise.all([
    cluster.list(COLLECTIONS.pods, { namespace, labelSelector }),
    cluster.list(DEPLOYMENTS, { namespace, labelSelector }),
  ]);
  const place: Installation = {
    ...options,
    ours,
    namespaceOfRelease: namespace,
    pods: valueOf(pods),
    deployments: valueOf(deployments),
  };
  const [way, reconciler, guard] = await Promise.all([
    lookAtWebhook(place),
    deployments.ok ? lookAtReconciler(place) : [unchecked('the reconciler', deployments)],
    lookAtGuard(place),
  ]);
  const istio = istioBefore(configurations, ours.name);
  const observing = checkObserving(place);
  const isBroken = !rules.ok || observing.length > 0 || way.some(({ state }) => state === 'cross');
  return [
    { state: 'ok', title: `MutatingWebhookConfiguration ${ours.name} is there` },
    ...way,
    ...(istio === undefined ? [] : [afterIstio(istio, ours)]),
    ...observing,
    // What breaks the webhook is said by now.
    isBroken ? { state: 'unreached', title: 'a pod created as a dry run' } : await tryPod(place),
    ...reconciler,
    ...guard,
    ...(deployments.ok ? [checkVersions(place)] : []),
  ];
}

/** In bytes: an API server's page has 5 to 20 MB. */
const MAX_API_SERVER_METRICS = 64 * 1024 * 1024;

/** Returns how often the API server went on without the webhook: no finding, since nobody can undo it. */
async function countFailOpen({ kube }: InstallationOptions): Promise<Line> {
  const page = await readPage(() => kube.open('/metrics', { accept: 'text/plain' }), MAX_API_SERVER_METRICS);
  if (page === undefined)
    return { state: 'unchecked', title: 'how often the webhook was left out', needs: 'get on the path /metrics' };
  const metric = 'apiserver_admission_webhook_fail_open_count';
  const count = readOurMetrics(page).sum(metric, /name="[a-z-]+\.autoscrape\.io"/) ?? 0;
  return {
    state: 'ok',
    title: `since it started, the API server has left the webhook out ${count} time${count === 1 ? '' : 's'}`,
  };
}

/** Returns what is left of releases whose webhook is not configured, or that there is none. */
async function withoutWebhook(
  { cluster }: InstallationOptions,
  configured: readonly WebhookConfiguration[],
): Promise<readonly Line[]> {
  const deployments = await cluster.list(DEPLOYMENTS, { labelSelector: OURS });
  const left = new Map<string, { readonly release: Release; readonly hasReconciler: boolean }>();
  // Not the sample, which may run elsewhere.
  for (const component of ['webhook', 'reconciler'])
    for (const deployment of ofComponent(valueOf(deployments), component)) {
      const place = text(objectIn(deployment, 'metadata')['namespace']);
      const release = releaseOf(deployment, place);
      const isConfigured = configured.some(
        (one) => one.release.name === release.name && (one.service?.namespace ?? place) === place,
      );
      if (!isConfigured) left.set(`${place}/${release.name}`, { release, hasReconciler: component === 'reconciler' });
    }
  if (left.size > 0 || configured.length > 0)
    return [...left.values()].map(({ release, hasReconciler }) =>
      finding(
        'webhook-not-configured',
        NOT_CALLED,
        `There is no MutatingWebhookConfiguration of release ${release.name} in namespace ${release.namespace}: ${STOPPED}.${hasReconciler ? ' Its reconciler annotates pods once they run.' : ''}`,
        upgradeOf(release, 'webhook.enabled=true'),
      ),
    );
  if (!deployments.ok)
    return [
      finding(
        'webhook-not-configured',
        NOT_CALLED,
        `There is no MutatingWebhookConfiguration with the label app.kubernetes.io/name=autoscrape: autoscrape is not installed, or ${STOPPED}.`,
        'helm list -A shows whether there is a release: install one, or upgrade it with --set webhook.enabled=true',
      ),
    ];
  return [
    finding(
      'not-installed',
      'autoscrape is not installed',
      'The cluster has no MutatingWebhookConfiguration and no Deployment with the label app.kubernetes.io/name=autoscrape.',
      'helm install autoscrape ./chart -n autoscrape --create-namespace',
    ),
  ];
}

const NOT_CALLED = 'the API server does not call the webhook';
const STOPPED = 'somebody used the emergency stop (webhook.enabled=false, or kubectl delete)';

function afterIstio(istio: string, { name }: WebhookConfiguration): Line {
  return finding(
    'webhook-after-istio',
    "Istio's injector is called before the webhook",
    `MutatingWebhookConfiguration ${quoted(istio)} comes before ${name} by its name, so Istio merges metrics of which it doesn't know the port.`,
    'Install the chart under a name that begins with "autoscrape": fullnameOverride.',
  );
}

function checkObserving({ deployments }: Installation): readonly Line[] {
  const [webhook] = ofComponent(deployments, 'webhook');
  if (flagOf(webhook, '--observe') === undefined) return [];
  return [
    finding(
      'webhook-observes',
      'the webhook only observes',
      `Deployment ${nameOf(webhook)} has the argument --observe: it changes no pod.`,
      'Set the value observe to false where pods are to be annotated.',
    ),
  ];
}

function checkRules(rules: Result<Rules, string>): Line {
  if (rules.ok) return { state: 'ok', title: 'the rules in force are valid' };
  const [problem = '', ...more] = rules.error.split('\n').filter((line) => line.includes('ConfigMap'));
  return finding(
    'rules-invalid',
    'the rules in force are not valid',
    `This version can't read them: ${quoted(problem)}${more.length === 0 ? '' : `, and ${more.length} more`}`,
    'autoscrape check rules.yaml shows each problem; correct the value rules, and helm upgrade.',
  );
}

function checkVersions({ ours, deployments }: Installation): Line {
  const found = new Map([['this command', VERSION]]);
  if (ours.chart !== '') found.set('the chart', ours.chart);
  for (const component of ['webhook', 'reconciler']) {
    const [deployment] = ofComponent(deployments, component);
    const version = text(objectIn(objectIn(deployment, 'metadata'), 'labels')['app.kubernetes.io/version']);
    if (version !== '') found.set(`the ${component}`, version);
  }
  if (new Set(found.values()).size === 1) return { state: 'ok', title: `all of it is version ${VERSION}` };
  return finding(
    'versions-differ',
    'the versions differ',
    `${[...found].map(([what, version]) => `${what} is ${quoted(version)}`).join(', ')}: the webhook may decide otherwise than this command says.`,
    'Use the version of the webhook, or helm upgrade.',
  );
}
