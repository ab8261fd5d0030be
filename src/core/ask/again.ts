import { classOf } from './verdict.ts';
import type { Verdict } from './verdict.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Metrics may come later (OpenTelemetry for .NET has none before the first instrument: open-telemetry/opentelemetry-dotnet#2970) or at
 * another replica (a leader's: kubernetes-sigs/controller-runtime#196), so a "no" is asked again thrice and then counts. Never sooner
 * than after ten minutes: a JVM can freeze while it is scraped (prometheus/jmx_exporter#306).
 */
const AFTER_NO = [10 * MINUTE, HOUR, DAY];

/** No answer says nothing of the port: policies and readiness change, so it is asked for as long as the pod is there. */
const AFTER_NOTHING = [MINUTE, 5 * MINUTE, 30 * MINUTE, 6 * HOUR, DAY];

/**
 * Returns after how many milliseconds a port is asked again that has given such a verdict, `times` times in a row, the last one included;
 * undefined where it is asked again only when its workload changes.
 */
export function askAgainAfter(verdict: Verdict, times: number): number | undefined {
  const { key } = verdict;
  if (key === 'metrics' || key === 'never_list' || key === 'not_http') return undefined;
  if (key === 'waiting') return 0;
  if (key === 'metrics_empty' && verdict.sure) return undefined;
  // 204 is "not yet", as several client libraries say it.
  const isNothing = classOf(verdict) === 'not_answered' || (key === 'not_200' && verdict.status === 204);
  return isNothing ? (AFTER_NOTHING[times - 1] ?? DAY) : AFTER_NO[times - 1];
}
