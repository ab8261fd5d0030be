import { nameOf } from '../../core/metadata.ts';
import { member, objectIn, text } from '../../core/json.ts';
import { flagOf } from '../../manifest/container-flag.ts';
import { durationOf, holderOf } from '../../kube/lease-object.ts';
import { checkGuard, checkReconciler, isStale } from './check-reconciler.ts';
import type { Right } from './check-reconciler.ts';
import type { Collection } from '../../kube/api-paths.ts';
import type { Line } from '../finding.ts';
import { ofComponent, unchecked } from './our-objects.ts';
import type { Installation } from './our-objects.ts';
import { metricsOf } from './our-metrics.ts';
import { serverTime } from './server-time.ts';

const POLICIES: Collection = { apiVersion: 'admissionregistration.k8s.io/v1', plural: 'validatingadmissionpolicies' };
const BINDINGS: Collection = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  plural: 'validatingadmissionpolicybindings',
};
const LEASES: Collection = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' };

/** In ms; the program's own default. */
const USUAL_LEASE_MS = 15_000;

/** Returns whether the reconciler works, where there is one. */
export async function lookAtReconciler(place: Installation): Promise<readonly Line[]> {
  const { cluster, deployments, namespaceOfRelease: namespace, pods, now } = place;
  const [deployment] = ofComponent(deployments, 'reconciler');
  if (deployment === undefined) return [{ state: 'ok', title: 'no reconciler: it is switched off' }];
  const template = objectIn(objectIn(deployment, 'spec'), 'template');
  const account = text(objectIn(template, 'spec')['serviceAccountName']);
  const leaseName = flagOf(deployment, '--lease-name') ?? 'autoscrape-reconciler';
  const [lease, rights] = await Promise.all([cluster.get(LEASES, namespace, leaseName), readRights(place, account)]);
  if (!lease.ok) return [unchecked('whether a reconciler leads', lease)];
  const holder = lease.value === undefined ? '' : holderOf(lease.value);
  const renewed = Date.parse(text(objectIn(lease.value, 'spec')['renewTime']));
  const validMs = durationOf(lease.value ?? {}) ?? USUAL_LEASE_MS;
  const leader = ofComponent(pods, 'reconciler').find((pod) => holder.startsWith(nameOf(pod)));
  return [
    ...(rights === undefined
      ? [unchecked("the reconciler's rights", { ok: false, error: 'create on subjectaccessreviews' })]
      : []),
    checkReconciler({
      namespace,
      account,
      release: place.ours.release,
      holder,
      renewed,
      validMs,
      rights,
      leader: leader === undefined ? undefined : await metricsOf(place, leader),
      now: isStale({ renewed, validMs, now }) ? ((await serverTime(place.kube)) ?? now) : now,
    }),
  ];
}

/** What the reconciler can't do without (chart/templates/reconciler/rbac.yaml). */
const RIGHTS: readonly (readonly [verb: string, resource: string])[] = [
  ['list', 'namespaces'],
  ['watch', 'namespaces'],
  ['list', 'pods'],
  ['watch', 'pods'],
  ['patch', 'pods'],
];

/** Returns what the account may do, which needs the right to ask for others; undefined without it. */
async function readRights(
  { kube, namespaceOfRelease: namespace }: Installation,
  account: string,
): Promise<readonly Right[] | undefined> {
  const answers = await Promise.all(
    RIGHTS.map(async ([verb, resource]) => {
      const reviewed = await kube.request({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: {
            user: `system:serviceaccount:${namespace}:${account}`,
            // Without its groups it is another user.
            groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
            resourceAttributes: { verb, resource },
          },
        },
      });
      if (!reviewed.ok) return undefined;
      return { verb, resource, isGiven: member(member(reviewed.value, 'status'), 'allowed') === true };
    }),
  );
  const rights = answers.filter((answer) => answer !== undefined);
  return rights.length === answers.length ? rights : undefined;
}

/** Returns whether the reconciler is held to annotations, where there is one. */
export async function lookAtGuard({ cluster, deployments, ours }: Installation): Promise<readonly Line[]> {
  const [deployment] = ofComponent(deployments, 'reconciler');
  if (deployment === undefined) return [];
  const [policies, bindings] = await Promise.all([cluster.list(POLICIES), cluster.list(BINDINGS)]);
  if (!policies.ok) return [unchecked("the reconciler's policy", policies)];
  if (!bindings.ok) return [unchecked("the reconciler's policy", bindings)];
  return [checkGuard(policies.value, bindings.value, nameOf(deployment), ours.release)];
}
