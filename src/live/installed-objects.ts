import type { Collection } from '../kube/api-paths.ts';

// What the chart has installed in a cluster, as it is listed.

/** Selects all of the chart's objects (chart/templates/_names.tpl). */
export const OURS = 'app.kubernetes.io/name=autoscrape';

export const WEBHOOK_CONFIGURATIONS: Collection = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  plural: 'mutatingwebhookconfigurations',
};
export const DEPLOYMENTS: Collection = { apiVersion: 'apps/v1', plural: 'deployments' };
