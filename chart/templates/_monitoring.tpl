{{/* What an endpoint of a PodMonitor or ServiceMonitor says. Call with the monitor's values. */}}
{{- define "autoscrape.monitorEndpoint" -}}
{{- $endpoint := dict "port" "health" "path" "/metrics" -}}
{{- range $field := list "interval" "scrapeTimeout" "relabelings" "metricRelabelings" -}}
{{- with index $ $field }}{{ $_ := set $endpoint $field . }}{{ end -}}
{{- end -}}
- {{- merge (dict) .endpointFields $endpoint | toYaml | nindent 2 }}
{{- end -}}

{{/* Where a monitor looks for pods or Services, on a line of its own: in the release's namespace, which is the default where the monitor
is there too. Call with root and namespace (the monitor's). */}}
{{- define "autoscrape.monitoredNamespace" -}}
{{- $namespace := include "autoscrape.namespace" .root -}}
{{- if and .namespace (ne .namespace $namespace) }}
namespaceSelector: { matchNames: [{{ $namespace }}] }
{{- end -}}
{{- end -}}
