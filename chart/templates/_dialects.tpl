{{/* The annotations of other consumers, by the name that rules.dialects has for them (src/core/annotations/dialects/). For each: what its
keys begin with, the fixed keys that autoscrape writes, the pattern of those that are made from words of a pod (RE2, not anchored), and
values: CEL on the strings `key` and VALUE, true where the value may be written under the key. */}}
{{- define "autoscrape.dialects" -}}
{{- $path := `/([\w.~:@!*+,;=&/-]|%[0-9A-Fa-f]{2})*` -}}
{{- $name := `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?` -}}
{{- $instance := printf `\{"openmetrics_endpoint":"https?://%%%%host%%%%:[0-9]{1,5}%s","namespace":"","metrics":\["\.\*"\]\}` $path -}}
grafana:
  prefixes: [k8s.grafana.com/]
  keys:
    - k8s.grafana.com/scrape
    - k8s.grafana.com/metrics.portNumber
    - k8s.grafana.com/metrics.path
    - k8s.grafana.com/metrics.scheme
    - k8s.grafana.com/metrics.container
  values:
    - key == 'k8s.grafana.com/scrape' && VALUE == 'true'
    - key == 'k8s.grafana.com/metrics.portNumber' && VALUE.matches('^[0-9]{1,5}$')
    - key == 'k8s.grafana.com/metrics.path' && VALUE.matches(r'^{{ $path }}$')
    - key == 'k8s.grafana.com/metrics.scheme' && VALUE == 'https'
    - key == 'k8s.grafana.com/metrics.container' && VALUE.matches('^{{ $name }}$')
datadog:
  prefixes: [ad.datadoghq.com/, service-discovery.datadoghq.com/]
  keys: []
  pattern: 'ad\.datadoghq\.com/{{ $name }}\.checks'
  values:
    - key.startsWith('ad.datadoghq.com/') && VALUE.matches(r'^\{"openmetrics":\{"init_config":\{\},"instances":\[{{ $instance }}(,{{ $instance }})*\]\}\}$')
dynatrace:
  prefixes: [metrics.dynatrace.com/]
  keys:
    - metrics.dynatrace.com/scrape
    - metrics.dynatrace.com/port
    - metrics.dynatrace.com/path
    - metrics.dynatrace.com/secure
  values:
    - key in ['metrics.dynatrace.com/scrape', 'metrics.dynatrace.com/secure'] && VALUE == 'true'
    - key == 'metrics.dynatrace.com/port' && VALUE.matches('^[0-9]{1,5}$')
    - key == 'metrics.dynatrace.com/path' && VALUE.matches(r'^{{ $path }}$')
opentelemetry:
  prefixes: [io.opentelemetry.discovery.metrics/, io.opentelemetry.discovery.metrics.]
  keys: []
  pattern: 'io\.opentelemetry\.discovery\.metrics\.[1-9][0-9]{0,4}/(enabled|scraper|config)'
  values:
    - key.startsWith('io.opentelemetry.discovery.metrics.') && key.endsWith('/enabled') && VALUE == 'true'
    - key.startsWith('io.opentelemetry.discovery.metrics.') && key.endsWith('/scraper') && VALUE == 'prometheus_simple'
    - key.startsWith('io.opentelemetry.discovery.metrics.') && key.endsWith('/config') && VALUE.matches(r'^\{"metrics_path":"{{ $path }}"(,"tls":\{"insecure":false\})?\}$')
{{- end -}}

{{/* The pattern of all keys that are made from words of a pod (RE2, not anchored). */}}
{{- define "autoscrape.dialectPattern" -}}
{{- $patterns := list -}}
{{- range $dialect := include "autoscrape.dialects" . | fromYaml -}}
{{- with $dialect.pattern }}{{ $patterns = append $patterns . }}{{ end -}}
{{- end -}}
({{ join "|" $patterns }})
{{- end -}}
