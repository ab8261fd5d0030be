{{/* `global` is a parent chart's, for all of its subcharts: its registry wins, its lists come first, and of its node selector the keys that
the values here don't have. */}}
{{- define "autoscrape.image" -}}
{{- $image := .Values.image -}}
{{- $name := $image.repository -}}
{{- with (.Values.global | default dict).imageRegistry | default $image.registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* metadata of a pod template. Call with root, component, values (of the component) and, where the pod serves metrics
for Prometheus, metricsPort. Our own pods lie in a namespace that the webhook never handles, so they say it themselves. */}}
{{- define "autoscrape.podMetadata" -}}
labels:
  {{- $selected := include "autoscrape.selectorLabels" . | fromYaml }}
  {{- merge $selected .values.podLabels .root.Values.commonLabels | toYaml | nindent 2 }}
{{- $annotations := dict -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- $monitored := or $monitoring.podMonitor.enabled $monitoring.serviceMonitor.enabled -}}
{{- if and .metricsPort $monitoring.podAnnotations (not $monitored) -}}
{{- $keys := include "autoscrape.annotationKeys" .root | fromYaml -}}
{{- $annotations = dict $keys.scrape "true" $keys.port (.metricsPort | toString) $keys.path "/metrics" -}}
{{- end -}}
{{- with merge (dict) (.values.podAnnotations | default dict) $annotations .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The node selector of a pod. The image is for Linux alone, and a cluster may have Windows nodes too. Call with root and values. */}}
{{- define "autoscrape.nodeSelector" -}}
{{- $global := (.root.Values.global | default dict).nodeSelector | default dict -}}
{{- merge (dict) .values.nodeSelector $global (dict "kubernetes.io/os" "linux") | toYaml -}}
{{- end -}}

{{/* The field `imagePullSecrets` of a pod, on a line of its own, or nothing. Call with root. Some parent charts list bare names. */}}
{{- define "autoscrape.imagePullSecrets" -}}
{{- $secrets := list -}}
{{- range concat ((.root.Values.global | default dict).imagePullSecrets | default list) .root.Values.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with uniq $secrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The field `tolerations` of a pod, on a line of its own, or nothing. Call with root and values. */}}
{{- define "autoscrape.tolerations" -}}
{{- with concat ((.root.Values.global | default dict).tolerations | default list) .values.tolerations | uniq }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The field `replicas` of a Deployment. Where the value is null it belongs to an autoscaler or to `kubectl scale`: offline it is left
out, and on a live cluster it is the number that is there. Without that, the upgrade that hands it over would leave one replica: Helm 3
deletes what its last manifest had, and in server-side apply a field without an owner falls back to its default. An equal value is no
conflict. Call with root, name (of the Deployment) and replicas. */}}
{{- define "autoscrape.replicas" -}}
{{- if not (kindIs "invalid" .replicas) -}}
replicas: {{ .replicas }}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" (include "autoscrape.namespace" .root) .name -}}
{{- if hasKey ($live.spec | default dict) "replicas" -}}
replicas: {{ int $live.spec.replicas }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The part of a pod's spec that is the same for all: security, scheduling. Call with root, component and values. */}}
{{- define "autoscrape.podSpec" -}}
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- include "autoscrape.imagePullSecrets" . }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  {{- include "autoscrape.nodeSelector" . | nindent 2 }}
{{- include "autoscrape.tolerations" . }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "autoscrape.selectorLabels" $ | nindent 8 }}
    # Count only the pods of one revision, or a rolling update ends unevenly spread.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of a pod that ends, as YAML: a sidecar that doesn't end would keep it from ending
(https://github.com/istio/istio/issues/13166). */}}
{{- define "autoscrape.outsideMeshes" -}}
labels: { sidecar.istio.io/inject: 'false' }
annotations: { linkerd.io/inject: disabled }
{{- end -}}

{{/* The spec of a pod that does one thing and ends: security, scheduling, and a container up to its image and resources. It runs
where the webhook runs, and has the token of its account. Call with root, account and container (its name); args and volumeMounts of
the container follow. */}}
{{- define "autoscrape.taskSpec" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: true
restartPolicy: Never
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- include "autoscrape.imagePullSecrets" . }}
nodeSelector:
  {{- include "autoscrape.nodeSelector" (dict "root" .root "values" .root.Values.webhook) | nindent 2 }}
{{- include "autoscrape.tolerations" (dict "root" .root "values" .root.Values.webhook) }}
containers:
  - name: {{ .container }}
    image: {{ include "autoscrape.image" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    securityContext:
      {{- toYaml .root.Values.securityContext | nindent 6 }}
    {{- /* It loads what the reconciler loads. */}}
    {{- with .root.Values.reconciler.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{/* The size of Node's heap, from the container's memory limit: 144 MiB or a quarter are left for what isn't heap, and 48 MiB
are what it has without a limit. tools/node-flags.ts has the same formula and says why. Call with values. */}}
{{- define "autoscrape.nodeOptions" -}}
{{- $limit := ((.values.resources | default dict).limits | default dict).memory | default 0 -}}
{{- $text := kindIs "string" $limit | ternary $limit (printf "%d" (int64 $limit)) -}}
{{- $number := regexFind "^[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?" $text -}}
{{- $units := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $bytes := mulf (float64 $number) (get $units (trimPrefix $number $text) | default 1) -}}
{{- $mebibytes := divf $bytes 1048576 | floor | int64 -}}
--max-old-space-size={{ max 48 (sub $mebibytes (max 144 (div $mebibytes 4))) }}
{{- end -}}

{{/* The part of our container that is the same for all. Call with root and values. */}}
{{- define "autoscrape.container" -}}
image: {{ include "autoscrape.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $options := include "autoscrape.nodeOptions" . }}
{{- $env := list }}
{{- $ours := true }}
{{- range .values.extraEnv }}
{{- if eq .name "NODE_OPTIONS" }}
{{- $ours = false }}
{{- /* Theirs come last, and so win. */}}
{{- $env = append $env (hasKey . "value" | ternary (dict "name" .name "value" (printf "%s %v" $options .value)) .) }}
{{- else }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
{{- if $ours }}
{{- $env = prepend $env (dict "name" "NODE_OPTIONS" "value" $options) }}
{{- end }}
env:
  {{- toYaml $env | nindent 2 }}
{{- end -}}

{{/* Probes on the health port. The event loop may be busy with one large body for a while: a restart comes after half a
minute, not before; and a start on an overloaded node may take two. */}}
{{- define "autoscrape.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
