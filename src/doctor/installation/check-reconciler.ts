import { nameOf } from '../../core/metadata.ts';
import { objectIn } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import { upgradeOf } from './helm-release.ts';
import type { Release } from './helm-release.ts';
import type { OurMetrics } from './our-metrics.ts';

/** Something that the reconciler's account may do, such as list on pods, and whether it may. */
export interface Right {
  readonly verb: string;
  readonly resource: string;
  readonly isGiven: boolean;
}

/** What is known of the reconciler. */
export interface ReconcilerSeen {
  readonly namespace: string;
  readonly account: string;
  readonly release: Release;
  /** Who holds the Lease for which its replicas compete; empty where nobody does. */
  readonly holder: string;
  /** Unix time in ms of the Lease's last renewal, and how long it is valid after that, in ms. */
  readonly renewed: number;
  readonly validMs: number;
  /** Undefined where they could not be read. */
  readonly rights: readonly Right[] | undefined;
  /** The metrics of the pod that leads; undefined where they could not be read. */
  readonly leader: OurMetrics | undefined;
  /** Unix time in ms. */
  readonly now: number;
}

/** Returns whether nobody renews the Lease any more. */
export function isStale({ renewed, validMs, now }: Pick<ReconcilerSeen, 'renewed' | 'validMs' | 'now'>): boolean {
  return !(now - renewed < 2 * validMs);
}

/** Returns whether the reconciler may work, leads, and has looked at all pods once. */
export function checkReconciler(seen: ReconcilerSeen): Line {
  const { namespace, account, release, holder, renewed, rights, leader } = seen;
  const missing = (rights ?? []).filter(({ isGiven }) => !isGiven);
  if (missing.length > 0)
    return finding(
      'reconciler-no-rights',
      'the reconciler has not the rights that it needs',
      `ServiceAccount ${namespace}/${account} must not ${missing.map(({ verb, resource }) => `${verb} ${resource}`).join(', ')}: pods that run already are not annotated.`,
      `To bring its ClusterRole and ClusterRoleBinding back: ${upgradeOf(release)}`,
    );
  const log = `kubectl logs -n ${namespace} -l app.kubernetes.io/component=reconciler`;
  if (holder === '' || isStale(seen))
    return finding(
      'reconciler-not-leading',
      'no reconciler leads',
      holder === ''
        ? 'Nobody holds its Lease: pods that run already are not annotated.'
        : `${quoted(holder)} has not renewed its Lease since ${Number.isNaN(renewed) ? 'its start' : new Date(renewed).toISOString()}: pods that run already are not annotated.`,
      `kubectl get pods -n ${namespace} -l app.kubernetes.io/component=reconciler; then ${log}`,
    );
  if (leader === undefined)
    return {
      state: 'unchecked',
      title: 'whether the reconciler has listed all pods',
      needs: `get on pods/proxy in namespace ${namespace}`,
    };
  const pass = leader.sum('autoscrape_reconcile_last_full_pass_timestamp_seconds') ?? 0;
  if (pass === 0)
    return finding(
      'reconciler-not-listed',
      'the reconciler has not looked at all pods yet',
      `${quoted(holder)} leads, and ${leader.sum('autoscrape_reconcile_failures_total') ?? 0} of its requests have failed.`,
      `Run this again in a minute; if it stays so: ${log}`,
    );
  const pods = leader.sum('autoscrape_reconcile_pods') ?? 0;
  return { state: 'ok', title: `the reconciler leads, and has looked at ${pods} pod${pods === 1 ? '' : 's'}` };
}

/** Returns whether the policy that holds the reconciler to annotations is bound, and denies. */
export function checkGuard(
  policies: readonly JsonObject[],
  bindings: readonly JsonObject[],
  account: string,
  release: Release,
): Line {
  const name = policies.map(nameOf).find((policy) => policy === account);
  const bound = bindings.some((binding) => {
    const spec = objectIn(binding, 'spec');
    const { validationActions } = spec;
    return spec['policyName'] === name && Array.isArray(validationActions) && validationActions.includes('Deny');
  });
  if (name !== undefined && bound) return { state: 'ok', title: 'a policy holds the reconciler to its annotations' };
  return finding(
    'guard-not-bound',
    'no policy holds the reconciler to its annotations',
    `${name === undefined ? `There is no ValidatingAdmissionPolicy ${account}` : `ValidatingAdmissionPolicy ${name} has no binding that denies`}: without it the reconciler patches no pod, and its token may change more than it should.`,
    `To bring both back: ${upgradeOf(release)}`,
  );
}
