import type { AskTools } from '../ask/ask-port.ts';
import { askThroughProxy } from '../ask/ask-through-proxy.ts';
import { SYSTEM_CLOCK } from '../kube/clock.ts';
import { podProxyPath } from '../kube/pod-proxy.ts';
import type { PodProxy } from '../kube/pod-proxy.ts';
import { VERSION } from '../process/version.ts';

/** Returns what sends requests to a pod through the API server. */
export function podSender(proxy: PodProxy, namespace: string, pod: string): NonNullable<AskTools['send']> {
  return (place, path) =>
    askThroughProxy(place, path, {
      version: VERSION,
      after: SYSTEM_CLOCK.after,
      open: (port, at, headers) => proxy.get({ namespace, pod, port }, at, headers),
      prefix: (port) => podProxyPath({ namespace, pod, port }),
    });
}
