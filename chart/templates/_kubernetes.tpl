{{/* Refuses a live cluster that is older than what the chart supports. Offline, Helm assumes a version of its own (Helm 3.14: 1.29,
Helm 4.0: 1.20), which says nothing of the cluster; so this is no `kubeVersion` in Chart.yaml, which would refuse there too. `lookup`
finds nothing offline. */}}
{{- define "autoscrape.requireKubernetes" -}}
{{- $oldest := index .Chart.Annotations "autoscrape.io/oldest-kubernetes" -}}
{{- $version := .Capabilities.KubeVersion.Version -}}
{{- /* `-0` admits vendors' suffixes, as in v1.35.4-gke.100. */}}
{{- if not (semverCompare (printf ">=%s.0-0" $oldest) $version) -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- fail (printf "\n\nThis cluster runs Kubernetes %s, and autoscrape %s supports %s and newer.\nUpgrade the cluster first." $version .Chart.AppVersion $oldest) -}}
{{- end -}}
{{- end -}}
{{- end -}}
