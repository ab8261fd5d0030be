import type { ClientRequest } from 'node:http';
import { member } from '../core/json.ts';
import { podsPath, servicesPath } from './api-paths.ts';
import type { Kube } from './client.ts';

/** A port of a pod, by names. */
export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  /** What the API server speaks to it; http unless given. It trusts any certificate. */
  readonly scheme?: 'http' | 'https';
}

/** A port of a Service, by names; the port may be a number as well. */
export interface ServicePort {
  readonly namespace: string;
  readonly service: string;
  readonly port: string;
  readonly scheme?: 'http' | 'https';
}

/** Requests to pods that the API server passes on (the subresource pods/proxy). */
export interface PodProxy {
  /**
   * Returns a GET of the path at the port, not sent before `end()`. It follows no redirect and
   * decodes nothing. Rejects where there are no credentials.
   */
  get(target: PodPort, path: string, headers: Readonly<Record<string, string>>): Promise<ClientRequest>;
  /** Returns the same of a port of a Service (the subresource services/proxy). */
  getService(target: ServicePort, path: string, headers: Readonly<Record<string, string>>): Promise<ClientRequest>;
}

/**
 * Returns the path that the API server has in front of the pod's own, in requests and in the
 * redirects that it passes on.
 */
export function podProxyPath({ namespace, pod, port, scheme }: PodPort): string {
  return `${podsPath(namespace)}/${prefixOf(scheme)}${encodeURIComponent(pod)}:${port}/proxy`;
}

/**
 * Returns why pods of the namespace must not be asked through the proxy, or undefined where they may.
 * To be called first, because the API server's refusal of a request looks like the pod's own.
 */
export async function proxyRefusal(
  kube: Pick<Kube, 'request'>,
  namespace: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const reviewed = await kube.request({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace, verb: 'get', resource: 'pods', subresource: 'proxy' } },
    },
    signal,
  });
  if (!reviewed.ok) return reviewed.error.message;
  return member(member(reviewed.value, 'status'), 'allowed') === true ? undefined : 'your account does not have it';
}

/**
 * Returns the proxy of a cluster. `request` of the client cannot be used: it follows redirects, to other hosts as well.
 */
export function podProxy(kube: Pick<Kube, 'open'>): PodProxy {
  return {
    get: (target, path, headers) => kube.open(podProxyPath(target) + path, headers),
    getService: ({ namespace, service, port, scheme }, path, headers) =>
      kube.open(
        `${servicesPath(namespace)}/${prefixOf(scheme)}${encodeURIComponent(service)}:${encodeURIComponent(port)}/proxy${path}`,
        headers,
      ),
  };
}

/** https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls */
function prefixOf(scheme: 'http' | 'https' | undefined): string {
  return scheme === 'https' ? 'https:' : '';
}
