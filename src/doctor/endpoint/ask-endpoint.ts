import { nameOf } from '../../core/metadata.ts';
import { objectIn } from '../../core/json.ts';
import { askPod, choosePort } from '../../ask/ask-pod.ts';
import { askPort } from '../../ask/ask-port.ts';
import type { AskTools } from '../../ask/ask-port.ts';
import { podSender } from '../../ask/pod-sender.ts';
import { randomName } from '../../ask/random-name.ts';
import { isAskablePath } from '../../core/ask/ask-path.ts';
import { readAskedPod } from '../../core/ask/asked-pod.ts';
import type { Verdict, VerdictKey } from '../../core/ask/verdict.ts';
import { decide } from '../../core/decide.ts';
import type { Rules } from '../../core/rules/rule.ts';
import { SYSTEM_CLOCK } from '../../kube/clock.ts';
import type { PodProxy } from '../../kube/pod-proxy.ts';
import { VERSION } from '../../process/version.ts';
import { planAsk } from '../../reconcile/ask-plan.ts';
import type { Stated } from '../pod/check-pod.ts';

/** What asking the endpoint through the API server has shown, or what it needs. */
export type EndpointAsked =
  | {
      readonly verdict: Verdict;
      /** How long the answer took, in milliseconds. */
      readonly ms: number;
      /** What the port answers over https, where it did not answer http. */
      readonly overHttps: Verdict | undefined;
    }
  /** The pod was deleted since it was listed. */
  | { readonly isGone: true }
  | { readonly needs: string };

/** Where a pod answers with metrics. */
export interface FoundEndpoint {
  readonly port: number;
  readonly path: string;
  /** The number of samples on the page. */
  readonly series: number;
}

/** The pod to ask, and the way to it. */
export interface AskedOf {
  readonly pod: unknown;
  readonly namespace: string;
  readonly proxy: PodProxy;
}

/** Asks the annotated endpoint once through the API server, http or https as the annotations say. */
export async function askEndpoint(of: AskedOf, { port, path, scheme }: Stated): Promise<EndpointAsked> {
  if (port === undefined) return { needs: 'a port in the annotations' };
  if (scheme !== 'http' && scheme !== 'https') return { needs: 'http or https in the annotations' };
  if (!isAskablePath(path)) return { needs: 'a plain path in the annotations' };
  const before = performance.now();
  const { podIP } = readAskedPod(of.pod);
  const { verdict } = await askPort({ address: podIP, port }, [path], toolsFor(of, scheme));
  const ms = performance.now() - before;
  if (verdict.key === 'timeout' && scheme === 'http') {
    // Where another path of the port answers, the page is slow, and the way is open.
    const control = await askPort({ address: podIP, port }, ['/'], toolsFor(of, scheme));
    const isOpen = !UNREACHED.includes(control.verdict.key);
    return { verdict: isOpen ? { key: 'too_slow', answered: false } : verdict, ms, overHttps: undefined };
  }
  if (scheme === 'https' || !PERHAPS_TLS.includes(verdict.key)) return { verdict, ms, overHttps: undefined };
  const { verdict: overHttps } = await askPort({ address: podIP, port }, [path], toolsFor(of, 'https'));
  return { verdict, ms, overHttps };
}

const UNREACHED: readonly VerdictKey[] = ['timeout', 'waiting', 'refused', 'too_slow'];

/** How servers answer that expect TLS: Go's says so, others close the connection. */
const PERHAPS_TLS: readonly VerdictKey[] = ['https_only', 'reset', 'not_http'];

/** What finding an endpoint depends on besides the pod. */
export interface FindSurroundings {
  readonly rules: Rules;
  /** The value of the namespace's label autoscrape.io/ask. */
  readonly askLabel: string | undefined;
  /** The Services of the namespace. */
  readonly services: readonly unknown[];
}

/**
 * Asks the ports of the pod that may be asked, as the reconciler does, and returns the one that serves metrics. Undefined
 * where none does, where the label of pod or namespace forbids asking, and where no port may be asked.
 */
export async function findEndpoint(
  of: AskedOf,
  { rules, askLabel, services }: FindSurroundings,
): Promise<FoundEndpoint | undefined> {
  const bare = withoutAnnotations(of.pod, rules);
  const settings = { ports: 'likely', annotatedServices: 'ask' } as const;
  const plan = planAsk(bare, decide(bare, rules, { mesh: false, namespace: of.namespace }), {
    rules,
    settings,
    askLabel,
    services,
  });
  if ('left' in plan) return undefined;
  const chosen = choosePort(await askPod(plan.address, plan.ports, toolsFor(of, 'http')), plan.ports);
  if (chosen?.verdict.key !== 'metrics') return undefined;
  return { port: chosen.port, path: chosen.path, series: chosen.verdict.series };
}

/** Returns the pod as if nobody had said where its metrics are. */
function withoutAnnotations(pod: unknown, { annotationKeys }: Rules): object {
  const metadata = objectIn(pod, 'metadata');
  const keys: ReadonlySet<string> = new Set(Object.values(annotationKeys));
  const others = Object.entries(objectIn(metadata, 'annotations')).filter(
    ([key]) => !keys.has(key) && !key.startsWith('autoscrape.io/'),
  );
  return { ...objectIn({ pod }, 'pod'), metadata: { ...metadata, annotations: Object.fromEntries(others) } };
}

function toolsFor({ pod, namespace, proxy }: AskedOf, scheme: 'http' | 'https'): AskTools {
  return {
    version: VERSION,
    after: SYSTEM_CLOCK.after,
    // The API server goes where the pod's own name leads.
    refuses: () => false,
    mayAsk: () => Promise.resolve(true),
    randomName,
    send: podSender(proxy, namespace, nameOf(pod), scheme),
  };
}
