{{/* The name that all objects begin with. It always begins with "autoscrape", whatever the release is called: the API
server calls webhooks in the order of their configurations' names, and ours has to come before Istio's. */}}
{{- define "autoscrape.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $name = ternary $release (printf "autoscrape-%s" $release) (hasPrefix "autoscrape" $release) -}}
{{- end -}}
{{- if gt (len $name) 51 -}}
{{- fail (printf "\n\nThe name %q has %d characters, and the chart appends up to 12, as in -webhook-tls.\nA name must not have more than 63 characters.\nChoose a shorter release name, or set fullnameOverride to at most 51 characters that begin with \"autoscrape\"." $name (len $name)) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* The namespace of all that runs. */}}
{{- define "autoscrape.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end -}}

{{/* The name of a component's service account. `default` is everybody's: pods of others in the namespace run as it, and would have the
reconciler's rights. Accounts of the chart's own are deleted after the Jobs and the test that they are for. Call with root and component. */}}
{{- define "autoscrape.serviceAccount" -}}
{{- $own := index .root.Values .component "serviceAccount" -}}
{{- if eq $own.name "default" -}}
{{- fail (printf "\n\n%s.serviceAccount.name is \"default\", the account of every pod in the namespace that names none.\nChoose another name: the chart creates that account." .component) -}}
{{- end -}}
{{- $fullname := include "autoscrape.fullname" .root -}}
{{- range $suffix := list "certificate" "ca-bundle" "verify" -}}
{{- if eq $own.name (printf "%s-%s" $fullname $suffix) -}}
{{- fail (printf "\n\n%s.serviceAccount.name is %q, the account of a Job or of the test of the chart's own, which Helm deletes after it.\nChoose another name." $.component $own.name) -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range $component := list "webhook" "reconciler" -}}
{{- $names = append $names ((index $.root.Values $component "serviceAccount").name | default (printf "%s-%s" $fullname $component)) -}}
{{- end -}}
{{- if eq (first $names) (last $names) -}}
{{- fail (printf "\n\nThe service accounts of the webhook and the reconciler are the same, %q, and the webhook must not have the reconciler's rights.\nChoose two names: webhook.serviceAccount.name and reconciler.serviceAccount.name." (first $names)) -}}
{{- end -}}
{{- $own.name | default (printf "%s-%s" $fullname .component) -}}
{{- end -}}

{{/* Labels that select pods. Call with (dict "root" $ "component" "webhook"). */}}
{{- define "autoscrape.selectorLabels" -}}
app.kubernetes.io/name: autoscrape
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Call with (dict "root" $ "component" "webhook") and, if there are any, labels of the object's own. One
dict, because a key may stand in several places: the object's own win, and those for all objects give way. */}}
{{- define "autoscrape.labels" -}}
{{- $ours := include "autoscrape.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- merge (dict) (.labels | default dict) $ours .root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* metadata of an object in the release's namespace, complete. Call with root, component, name (what follows the full
name, may be empty; or wholeName) and, if there are any, labels and annotations of the object's own; clusterScoped leaves the namespace out. */}}
{{- define "autoscrape.metadata" -}}
name: {{ .wholeName | default (printf "%s%s" (include "autoscrape.fullname" .root) .name) }}
{{- if not .clusterScoped }}
namespace: {{ .namespace | default (include "autoscrape.namespace" .root) }}
{{- end }}
labels:
  {{- include "autoscrape.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The annotation keys that the rules configure: a YAML object with scrape, port, path and scheme. */}}
{{- define "autoscrape.annotationKeys" -}}
{{- $keys := .Values.rules.annotations | default dict -}}
scrape: {{ $keys.scrape | default "prometheus.io/scrape" }}
port: {{ $keys.port | default "prometheus.io/port" }}
path: {{ $keys.path | default "prometheus.io/path" }}
scheme: {{ $keys.scheme | default "prometheus.io/scheme" }}
{{- end -}}

{{/* The annotation that says what autoscrape added (src/core/annotations/marker.ts). */}}
{{- define "autoscrape.marker" -}}
autoscrape.io/injected
{{- end -}}

{{/* The annotation keys of further endpoints (src/core/annotations/numbered-keys.ts): {port: […], path: […], scheme: […]}. */}}
{{- define "autoscrape.numberedKeys" -}}
{{- $keys := include "autoscrape.annotationKeys" . | fromYaml -}}
{{- range $field := list "port" "path" "scheme" }}
{{ $field }}:
{{- range $slot := list 2 3 4 5 6 7 8 }}
  - {{ get $keys $field }}-{{ $slot }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Which endpoints of a pod are annotated, "first" or "all". The bridge reads all of them. */}}
{{- define "autoscrape.endpoints" -}}
{{- .Values.rules.endpoints | default (ternary "all" "first" .Values.bridge.enabled) -}}
{{- end -}}

{{/* The annotation keys that the rules configure, with their numbered ones, that of Istio (src/core/annotations/istio-targets.ts), and the
marker: {keys: […]}. */}}
{{- define "autoscrape.configuredKeys" -}}
{{- $keys := include "autoscrape.annotationKeys" . | fromYaml -}}
{{- $numbered := include "autoscrape.numberedKeys" . | fromYaml -}}
{{- $istio := "prometheus.istio.io/scrape-targets" -}}
keys: {{ concat (list $keys.scrape $keys.port $keys.path $keys.scheme) $numbered.port $numbered.path $numbered.scheme (list $istio (include "autoscrape.marker" .)) | toJson }}
{{- end -}}

{{/* Every fixed annotation key that autoscrape writes: {keys: […]}; autoscrape.dialectPattern has the others. They stay the same when
rules.endpoints or rules.dialects changes: what was written before must be removable. */}}
{{- define "autoscrape.writtenKeys" -}}
{{- $all := (include "autoscrape.configuredKeys" . | fromYaml).keys -}}
{{- range $dialect := include "autoscrape.dialects" . | fromYaml }}{{ $all = concat $all $dialect.keys }}{{ end -}}
keys: {{ $all | uniq | toJson }}
{{- end -}}

{{/* "true" where the reconciler runs: who only wants to observe wants no pod patched by anybody. */}}
{{- define "autoscrape.reconciles" -}}
{{- if and .Values.reconciler.enabled (not .Values.observe) }}true{{ end -}}
{{- end -}}

{{/* "true" where the reconciler asks pods. */}}
{{- define "autoscrape.asks" -}}
{{- if and (include "autoscrape.reconciles" .) .Values.reconciler.ask.enabled }}true{{ end -}}
{{- end -}}

{{/* What to do with the pods of a Service that is annotated itself: "leave" or "ask". The bridge's Prometheus reads no annotated Services. */}}
{{- define "autoscrape.askAnnotatedServices" -}}
{{- .Values.reconciler.ask.annotatedServices | default (ternary "ask" "leave" .Values.bridge.enabled) -}}
{{- end -}}
