{{/* The chart's name, or nameOverride. */}}
{{- define "wanqu.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The prefix of the names of objects. With the longest suffix they stay within 63 characters. */}}
{{- define "wanqu.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- $name := include "wanqu.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of the operator's Deployment and of the objects that belong to it. */}}
{{- define "wanqu.operator" -}}
{{ include "wanqu.fullname" . }}-operator
{{- end }}

{{- define "wanqu.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "wanqu.operator" .) .Values.serviceAccount.name }}
{{- else -}}
{{ required "serviceAccount.name must be set if serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The labels that select the operator's pods; they never change. */}}
{{- define "wanqu.selectorLabels" -}}
app.kubernetes.io/name: wanqu-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wanqu.labels" -}}
{{ include "wanqu.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: wanqu
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The image, by its digest if that is set. */}}
{{- define "wanqu.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* The security context of all pods of the chart, with the AppArmor profile if one is set. */}}
{{- define "wanqu.podSecurity" -}}
{{- $pod := deepCopy .Values.podSecurityContext }}
{{- with .Values.appArmorProfile }}
{{- $pod = merge (dict "appArmorProfile" .) $pod }}
{{- end }}
{{- toYaml $pod }}
{{- end }}

{{/* The name of cluster-wide objects, which two releases of the same name do not share. */}}
{{- define "wanqu.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "wanqu.operator" .) }}
{{- end }}

{{/* The condition of an admission policy that holds for the operator's account alone. */}}
{{- define "wanqu.byTheOperator" -}}
- name: by-the-operator
  expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "wanqu.serviceAccount" . }}'
{{- end }}
