import { classOf } from './verdict.ts';
import type { Verdict } from './verdict.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Metrics may appear later (OpenTelemetry for .NET has none before the first instrument:
 * open-telemetry/opentelemetry-dotnet#2970) or at another replica (the leader:
 * kubernetes-sigs/controller-runtime#196), so a port without metrics is asked three more times.
 * Never sooner than after ten minutes: a JVM can freeze while it is scraped
 * (prometheus/jmx_exporter#306).
 */
const AFTER_NO = [10 * MINUTE, HOUR, DAY];

/**
 * A missing answer tells nothing about the port: policies and readiness change, so it is asked as
 * long as the pod exists. So does an address that must not be asked: another replica has another.
 */
const AFTER_NOTHING = [MINUTE, 5 * MINUTE, 30 * MINUTE, 6 * HOUR, DAY];

/**
 * Returns after how many milliseconds a port is asked again after this verdict, which was the
 * `times`-th in a row; undefined where it is only asked again when its workload changes.
 */
export function askAgainAfter(verdict: Verdict, times: number): number | undefined {
  const { key } = verdict;
  if (key === 'metrics' || key === 'not_http') return undefined;
  if (key === 'waiting') return 0;
  if (key === 'metrics_empty' && verdict.sure) return undefined;
  // Several client libraries answer 204 before the first metric.
  const isNothing = classOf(verdict) === 'not_answered' || (key === 'not_200' && verdict.status === 204);
  return isNothing ? (AFTER_NOTHING[times - 1] ?? DAY) : AFTER_NO[times - 1];
}
