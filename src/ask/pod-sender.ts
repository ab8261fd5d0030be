import { SYSTEM_CLOCK } from '../kube/clock.ts';
import { podProxyPath } from '../kube/pod-proxy.ts';
import type { PodProxy } from '../kube/pod-proxy.ts';
import { VERSION } from '../process/version.ts';
import type { AskTools } from './ask-port.ts';
import { askThroughProxy } from './ask-through-proxy.ts';

/** Returns what sends requests to a pod through the API server, which speaks http or https to it and trusts any certificate. */
export function podSender(
  proxy: PodProxy,
  namespace: string,
  pod: string,
  scheme: 'http' | 'https' = 'http',
): NonNullable<AskTools['send']> {
  return (place, path) =>
    askThroughProxy(place, path, {
      version: VERSION,
      after: SYSTEM_CLOCK.after,
      open: (port, at, headers) => proxy.get({ namespace, pod, port, scheme }, at, headers),
      prefix: (port) => podProxyPath({ namespace, pod, port, scheme }),
    });
}
