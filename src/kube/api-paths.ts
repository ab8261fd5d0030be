/** The collection of all namespaces. */
export const NAMESPACES_PATH = '/api/v1/namespaces';

/** The collection of the Services of all namespaces. */
export const SERVICES_PATH = '/api/v1/services';

/** A collection of the API: its group with version, and its plural, such as `networking.k8s.io/v1` and `networkpolicies`. */
export interface Collection {
  readonly apiVersion: string;
  readonly plural: string;
}

/** Returns the path of a collection in a namespace; without one, of all namespaces or of a cluster-scoped kind. */
export function collectionPath({ apiVersion, plural }: Collection, namespace: string | undefined): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${root}${namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

/** Returns the path of a namespace. */
export function namespacePath(name: string): string {
  return `${NAMESPACES_PATH}/${encodeURIComponent(name)}`;
}

/** Returns the path of the collection of a namespace's pods. */
export function podsPath(namespace: string): string {
  return `${namespacePath(namespace)}/pods`;
}

/** Returns the path of the collection of a namespace's Services. */
export function servicesPath(namespace: string): string {
  return `${namespacePath(namespace)}/services`;
}

/** Returns the path of a pod. */
export function podPath(namespace: string, name: string): string {
  return `${podsPath(namespace)}/${encodeURIComponent(name)}`;
}

/** Returns the path of the collection of a namespace's Leases. */
export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

/** Returns the path of a Lease. */
export function leasePath(namespace: string, name: string): string {
  return `${leasesPath(namespace)}/${encodeURIComponent(name)}`;
}

/** Returns the path of the collection of a namespace's Secrets. */
export function secretsPath(namespace: string): string {
  return `${namespacePath(namespace)}/secrets`;
}

/** Returns the path of a Secret. */
export function secretPath(namespace: string, name: string): string {
  return `${secretsPath(namespace)}/${encodeURIComponent(name)}`;
}

/** Returns the path of a MutatingWebhookConfiguration. */
export function mutatingWebhookConfigurationPath(name: string): string {
  return `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${encodeURIComponent(name)}`;
}
