{{- define "aloft.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "aloft.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "aloft.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "aloft.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{- define "aloft.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{- define "aloft.commonEnv" -}}
- name: ALOFT_LOG__FORMAT
  value: {{ .Values.log.format | quote }}
- name: ALOFT_LOG__FILTER
  value: {{ .Values.log.filter | quote }}
- name: ALOFT_STORE__URL
  value: {{ required "store.url must be set, for instance s3://bucket?endpoint=https://host&region=name" .Values.store.url | quote }}
{{ include "aloft.secretEnv" (dict "name" "ALOFT_STORE__ACCESS_KEY" "secret" .Values.existingSecret "key" "store-access-key") }}
{{ include "aloft.secretEnv" (dict "name" "ALOFT_STORE__SECRET_KEY" "secret" .Values.existingSecret "key" "store-secret-key") }}
{{- end }}
