{{/* Which pods autoscrape works on. The webhook's selectors and the reconciler's guard are both rendered from this file, so a
change here reaches both. The program knows the same label and values: src/core/opt-in.ts. */}}

{{/* The requirement that opts a namespace in. */}}
{{- define "autoscrape.optIn" -}}
{ key: autoscrape.io/inject, operator: In, values: [enabled, 'true'] }
{{- end -}}

{{/* The requirement that a pod which opts out does not meet. A pod with any other value passes it: the webhook is called, leaves
the pod as it is, and warns its author. */}}
{{- define "autoscrape.notOptedOut" -}}
{ key: autoscrape.io/inject, operator: NotIn, values: [disabled, 'false'] }
{{- end -}}

{{/* CEL, true for a pod that autoscrape may annotate as far as its own label says. Call with NAME, a CEL map of the pod's labels. */}}
{{- define "autoscrape.podOptsInAsCel" -}}
{{- $optIn := include "autoscrape.optIn" . | fromYaml -}}
!({{ toJson $optIn.key }} in {{ . }}) || {{ . }}[{{ toJson $optIn.key }}] in {{ toJson $optIn.values }}
{{- end -}}

{{/* Namespaces of the cluster's own machinery: {names: […]}. Nothing in them is ever changed. */}}
{{- define "autoscrape.systemNamespaces" -}}
names: [kube-system, kube-public, kube-node-lease]
{{- end -}}

{{/* Requirements that a namespace of a managed cluster's own machinery does not meet: {requirements: […]}. AKS adds these two to
every webhook's selector under a field manager of its own ("admissionsenforcer"), unless they are there already; Helm 4 would report
a conflict on each upgrade, and Argo CD a difference. The program has the same two: src/core/opt-in.ts. */}}
{{- define "autoscrape.notManaged" -}}
requirements:
  - { key: control-plane, operator: NotIn, values: ['true'] }
  - { key: kubernetes.azure.com/managedby, operator: NotIn, values: [aks] }
{{- end -}}

{{/* The selector for namespaces: a LabelSelector. Some are excluded by name or as the cluster's own, whatever
webhook.namespaceSelector says. */}}
{{- define "autoscrape.namespaceSelector" -}}
{{- $optIn := dict "matchExpressions" (list (include "autoscrape.optIn" . | fromYaml)) -}}
{{- $selector := .Values.webhook.namespaceSelector | default $optIn -}}
{{- $system := (include "autoscrape.systemNamespaces" . | fromYaml).names -}}
{{- $excluded := concat $system (list (include "autoscrape.namespace" .)) .Values.webhook.excludedNamespaces | uniq -}}
{{- $byName := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $excluded -}}
{{- $notManaged := (include "autoscrape.notManaged" . | fromYaml).requirements -}}
{{- with $selector.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  {{- concat (list $byName) $notManaged ($selector.matchExpressions | default list) | uniq | toYaml | nindent 2 }}
{{- end -}}

{{/* The selector for pods: a LabelSelector. */}}
{{- define "autoscrape.objectSelector" -}}
{{- $selector := .Values.webhook.objectSelector -}}
{{- $notOptedOut := include "autoscrape.notOptedOut" . | fromYaml -}}
{{- with $selector.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  {{- /* "false" is quoted by toYaml: the API server takes strings only. */}}
  {{- concat (list $notOptedOut) ($selector.matchExpressions | default list) | toYaml | nindent 2 }}
{{- end -}}

{{/* A LabelSelector as a CEL expression. Call with (dict "selector" … "labels" NAME), NAME being a CEL map of labels. JSON's
strings and lists are CEL's too. */}}
{{- define "autoscrape.selectorAsCel" -}}
{{- $labels := .labels -}}
{{- $terms := list -}}
{{- range $key, $value := .selector.matchLabels -}}
{{- $terms = append $terms (printf "(%s in %s && %s[%s] == %s)" (toJson $key) $labels $labels (toJson $key) (toJson $value)) -}}
{{- end -}}
{{- range .selector.matchExpressions -}}
{{- $has := printf "%s in %s" (toJson .key) $labels -}}
{{- $isOneOf := printf "(%s && %s[%s] in %s)" $has $labels (toJson .key) (toJson (.values | default list)) -}}
{{- if eq .operator "In" -}}{{- $terms = append $terms $isOneOf -}}
{{- else if eq .operator "NotIn" -}}{{- $terms = append $terms (printf "!%s" $isOneOf) -}}
{{- else if eq .operator "Exists" -}}{{- $terms = append $terms (printf "(%s)" $has) -}}
{{- else -}}{{- $terms = append $terms (printf "!(%s)" $has) -}}
{{- end -}}
{{- end -}}
{{- join "\n&& " $terms -}}
{{- end -}}

{{/* A LabelSelector as kubectl has it: `team=shop,env in (prod,test),!legacy`. Call with the selector. */}}
{{- define "autoscrape.selectorAsText" -}}
{{- $terms := list -}}
{{- range $key, $value := .matchLabels -}}
{{- $terms = append $terms (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- range .matchExpressions -}}
{{- $values := join "," (.values | default list) -}}
{{- if eq .operator "In" -}}{{- $terms = append $terms (printf "%s in (%s)" .key $values) -}}
{{- else if eq .operator "NotIn" -}}{{- $terms = append $terms (printf "%s notin (%s)" .key $values) -}}
{{- else if eq .operator "Exists" -}}{{- $terms = append $terms .key -}}
{{- else -}}{{- $terms = append $terms (printf "!%s" .key) -}}
{{- end -}}
{{- end -}}
{{- join "," $terms -}}
{{- end -}}
