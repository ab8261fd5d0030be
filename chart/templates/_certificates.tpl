{{/* The Secret with the pair that the webhook serves. */}}
{{- define "autoscrape.certificateSecret" -}}
{{- $certificates := .Values.certificates -}}
{{- if eq $certificates.mode "existingSecret" -}}
{{- required "\n\ncertificates.mode is existingSecret: name the Secret that holds tls.crt and tls.key in certificates.existingSecret.name." $certificates.existingSecret.name -}}
{{- else if eq $certificates.mode "job" -}}
{{ include "autoscrape.fullname" . }}-job-tls
{{- else -}}
{{ include "autoscrape.fullname" . }}-webhook-tls
{{- end -}}
{{- end -}}

{{/* The names that the API server verifies, as a YAML list under `names`. */}}
{{- define "autoscrape.dnsNames" -}}
{{- $service := printf "%s-webhook.%s.svc" (include "autoscrape.fullname" .) (include "autoscrape.namespace" .) -}}
names:
  - {{ $service }}
  - {{ $service }}.cluster.local
{{- end -}}

{{/* Refuses to go on where cert-manager is needed and a live cluster lacks it. `lookup` finds nothing when a chart is
rendered offline, and then nobody can tell. */}}
{{- define "autoscrape.requireCertManager" -}}
{{- if and (lookup "v1" "Namespace" "" "kube-system") (not (.Capabilities.APIVersions.Has "cert-manager.io/v1")) -}}
{{- fail (printf "\n\ncertificates.mode is %q, and this cluster has no cert-manager: it lacks the API cert-manager.io/v1.\nEither install cert-manager first (https://cert-manager.io/docs/installation/helm/),\nor let a Job of the chart make the certificate: --set certificates.mode=job\nor bring your own: --set certificates.mode=existingSecret (see the chart's README)." .Values.certificates.mode) -}}
{{- end -}}
{{- end -}}

{{/* How the API server learns the CA, as YAML: `annotation` and `value` for cert-manager's cainjector, or `caBundle`; nothing in mode
job, whose second Job writes it. A caBundle in the chart beside a cainjector or that Job would be a field with two owners: Helm 4 reports a conflict on each upgrade,
and Helm 3 wipes it. */}}
{{- define "autoscrape.trust" -}}
{{- $certificates := .Values.certificates -}}
{{- if and $certificates.caBundle (has $certificates.mode (list "cert-manager" "job")) -}}
{{- fail (printf "\n\ncertificates.mode is %q, which makes a CA of the chart's own, and certificates.caBundle holds another CA: the API server\nwould trust that one and refuse every call. In this mode leave certificates.caBundle empty." $certificates.mode) -}}
{{- else if $certificates.caBundle -}}
caBundle: {{ $certificates.caBundle | b64enc }}
{{- else if has $certificates.mode (list "cert-manager" "issuerRef") -}}
annotation: cert-manager.io/inject-ca-from
value: {{ include "autoscrape.namespace" . }}/{{ include "autoscrape.fullname" . }}-webhook
{{- else if and (eq $certificates.mode "existingSecret") $certificates.existingSecret.injectCA -}}
annotation: cert-manager.io/inject-ca-from-secret
value: {{ include "autoscrape.namespace" . }}/{{ $certificates.existingSecret.name }}
{{- else if and (eq $certificates.mode "existingSecret") (not (keys .Values.webhook.annotations | join " " | contains "inject")) -}}
{{- fail "\n\ncertificates.mode is existingSecret, and nothing tells the API server which CA to trust: it would refuse every call, and no pod would be annotated.\nGive the CA's certificate (PEM) in certificates.caBundle, for example with --set-file certificates.caBundle=ca.crt,\nor set certificates.existingSecret.injectCA=true to let cert-manager's cainjector copy ca.crt out of the Secret\n(it must carry the annotation cert-manager.io/allow-direct-injection: \"true\"),\nor give the annotation of another injector in webhook.annotations (its key has \"inject\" in it)." -}}
{{- end -}}
{{- end -}}

{{/* The spec of a Job that makes or spreads the certificate. Call as `autoscrape.taskSpec`, which ends it. Three tries, some seconds
apart; the deadline is shorter than Helm's own five minutes, so that Helm sees the failure. */}}
{{- define "autoscrape.certificateJob" -}}
backoffLimit: 2
activeDeadlineSeconds: 240
ttlSecondsAfterFinished: 3600
template:
  metadata:
    {{- $outside := include "autoscrape.outsideMeshes" .root | fromYaml }}
    {{- $selected := include "autoscrape.selectorLabels" (dict "root" .root "component" "certificate") | fromYaml }}
    labels:
      {{- merge $selected $outside.labels .root.Values.commonLabels | toYaml | nindent 6 }}
    annotations:
      {{- merge (dict) $outside.annotations .root.Values.commonAnnotations | toYaml | nindent 6 }}
  spec:
    {{- include "autoscrape.taskSpec" . | nindent 4 }}
{{- end -}}
