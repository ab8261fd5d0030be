// The metrics that client libraries serve on their own: of the process, of the language's runtime,
// and of serving metrics. Of two ports, the application's is the one that has other metrics, too.

const PREFIXES: readonly string[] = [
  // https://prometheus.io/docs/instrumenting/writing_clientlibs/#standard-and-runtime-collectors
  'process_',
  // https://github.com/prometheus/client_golang: the Go collector, and the handler's own
  'go_',
  'promhttp_',
  // https://github.com/prometheus/client_java; Micrometer's binders have the same prefix
  'jvm_',
  // https://github.com/prometheus/client_python
  'python_',
  // https://github.com/siimon/prom-client
  'nodejs_',
  // https://github.com/prometheus-net/prometheus-net;
  // https://learn.microsoft.com/dotnet/core/diagnostics/built-in-metrics-runtime
  'dotnet_',
  'system_runtime_',
  // https://github.com/prometheus/client_ruby; https://github.com/discourse/prometheus_exporter
  'ruby_',
  // https://github.com/prometheus-erl/prometheus.erl
  'erlang_vm_',
  // OpenTelemetry's Prometheus exporters describe themselves
  'otel_',
];
const NAMES: readonly string[] = ['target_info', 'php_info'];

/**
 * Returns whether a client library serves the metric on its own, so that it tells nothing about the
 * application.
 */
export function isRuntimeMetric(name: string): boolean {
  return NAMES.includes(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
}
