{{/* A variable from the Secret. Takes a dict of root, name and key, and optional when the key may be absent. */}}
{{- define "aloft.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.existingSecret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{- define "aloft.logEnvironment" -}}
- name: ALOFT_LOG__FORMAT
  value: {{ .Values.log.format | quote }}
- name: ALOFT_LOG__FILTER
  value: {{ .Values.log.filter | quote }}
{{- end }}

{{- define "aloft.storeEnvironment" -}}
- name: ALOFT_STORE__URL
  value: {{ required "store.url must be set, for instance s3://bucket?endpoint=https://host&region=name" .Values.store.url | quote }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_STORE__ACCESS_KEY" "key" "store-access-key") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_STORE__SECRET_KEY" "key" "store-secret-key") }}
{{- end }}

{{- define "aloft.controlPlaneEnvironment" -}}
{{ include "aloft.logEnvironment" . }}
{{ include "aloft.storeEnvironment" . }}
- name: TMPDIR
  value: /spool
- name: ALOFT_CONTROL_PLANE__LISTEN
  value: "0.0.0.0:{{ .Values.controlPlane.port }}"
- name: ALOFT_CONTROL_PLANE__PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
{{- with .Values.controlPlane.clientAddressHeader | default (ternary "x-real-ip" "" (and .Values.edge.enabled .Values.edge.api.enabled)) }}
# The edges' API port says in x-real-ip where a call came from.
- name: ALOFT_CONTROL_PLANE__CLIENT_ADDRESS_HEADER
  value: {{ . | quote }}
{{- end }}
{{- with .Values.controlPlane.firstOwnerEmail }}
- name: ALOFT_CONTROL_PLANE__FIRST_OWNER_EMAIL
  value: {{ . | quote }}
{{- end }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_DATABASE__URL" "key" "database-url") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_CONTROL_PLANE__PEPPER" "key" "pepper") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_CONTROL_PLANE__MASTER_KEYS" "key" "master-keys" "optional" true) }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_CONTROL_PLANE__EDGE_TOKEN" "key" "edge-token") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_CONTROL_PLANE__OPERATOR_TOKEN" "key" "operator-token" "optional" true) }}
{{- end }}

{{- define "aloft.workerEnvironment" -}}
{{ include "aloft.logEnvironment" . }}
{{ include "aloft.storeEnvironment" . }}
- name: TMPDIR
  value: /spool
- name: ALOFT_WORKER__SPOOL_FOLDER
  value: /spool/work
- name: ALOFT_WORKER__PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
{{- if .Values.mail.enabled }}
- name: ALOFT_WORKER__MAIL_TRANSPORT
  value: smtp
- name: ALOFT_WORKER__MAIL_FROM
  value: {{ .Values.mail.from | quote }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_WORKER__MAIL_SMTP_URL" "key" "smtp-url") }}
{{- if not .Values.publicUrl }}
{{- fail "publicUrl must be set when mail is enabled: links in mails begin with it" }}
{{- end }}
{{- else }}
- name: ALOFT_WORKER__MAIL_FOLDER
  value: /spool/mail
{{- end }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_DATABASE__URL" "key" "database-url") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_WORKER__PEPPER" "key" "pepper") }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_WORKER__MASTER_KEYS" "key" "master-keys" "optional" true) }}
{{- end }}

{{- define "aloft.edgeEnvironment" -}}
{{ include "aloft.logEnvironment" . }}
{{- if eq .Values.edge.blobOrigin "store" }}
{{ include "aloft.storeEnvironment" . }}
{{- end }}
- name: ALOFT_EDGE__LISTEN
  value: "0.0.0.0:{{ .Values.edge.devicePort }}"
- name: ALOFT_EDGE__ADMIN_LISTEN
  value: "0.0.0.0:{{ .Values.edge.adminPort }}"
- name: ALOFT_EDGE__DATA_FOLDER
  value: /data
- name: ALOFT_EDGE__CONTROL_PLANE
  value: {{ include "aloft.controlPlaneUrl" . | quote }}
{{- if .Values.edge.api.enabled }}
- name: ALOFT_EDGE__API_LISTEN
  value: "0.0.0.0:{{ .Values.edge.api.port }}"
{{- if not .Values.edge.controlPlane }}
# Every replica has an address of its own behind this name.
- name: ALOFT_EDGE__API_CONTROL_PLANES
  value: "http://{{ include "aloft.name" . }}-control-plane-replicas:{{ .Values.controlPlane.port }}"
{{- end }}
{{- end }}
- name: ALOFT_EDGE__PUBLIC_URL
  value: {{ .Values.edge.publicUrl | quote }}
{{- if .Values.edge.tlsSecret }}
- name: ALOFT_EDGE__TLS_CERTIFICATE
  value: /tls/tls.crt
- name: ALOFT_EDGE__TLS_KEY
  value: /tls/tls.key
{{- end }}
- name: ALOFT_EDGE__PARENT
  value: {{ .Values.edge.parent | quote }}
- name: ALOFT_EDGE__BLOB_ORIGIN
  value: {{ .Values.edge.blobOrigin | quote }}
# Whole numbers of a million and more would be written as 1e+06.
- name: ALOFT_EDGE__ACCESS_LOG_EVERY
  value: {{ .Values.edge.accessLog.every | int64 | quote }}
- name: ALOFT_EDGE__ACCESS_LOG_REFUSALS_PER_S
  value: {{ .Values.edge.accessLog.refusalsPerSecond | int64 | quote }}
{{ include "aloft.edgeAddressEnvironment" . }}
{{ include "aloft.secret" (dict "root" . "name" "ALOFT_EDGE__TOKEN" "key" "edge-token") }}
{{- end }}

{{/* What an edge must be told about the addresses that it sees. */}}
{{- define "aloft.edgeAddressEnvironment" -}}
{{- $direct := eq .Values.edge.service.externalTrafficPolicy "Local" }}
{{- if not $direct }}
# All connections come from the addresses of an ingress or of nodes, which keep their idle ones for a minute.
- name: ALOFT_EDGE__CONNECTIONS_PER_ADDRESS_MAX
  value: "20000"
- name: ALOFT_EDGE__IDLE_TIMEOUT_S
  value: "75"
{{- end }}
{{- if .Values.edge.clientAddressHeader }}
- name: ALOFT_EDGE__CLIENT_ADDRESS_HEADER
  value: {{ .Values.edge.clientAddressHeader | quote }}
{{- else if not $direct }}
# All devices seem to have these addresses, too: none of them must be limited.
- name: ALOFT_EDGE__ADDRESS_REQUESTS_PER_S
  value: "0"
- name: ALOFT_EDGE__REGISTRATIONS_PER_S
  value: "0"
{{- end }}
{{- end }}

{{- define "aloft.controlPlaneUrl" -}}
{{- if .Values.edge.controlPlane -}}
{{ .Values.edge.controlPlane }}
{{- else if .Values.controlPlane.enabled -}}
http://{{ include "aloft.name" . }}-control-plane:{{ .Values.controlPlane.port }}
{{- else -}}
{{ fail "edge.controlPlane must be set when controlPlane.enabled is false" }}
{{- end -}}
{{- end }}

{{/* The variables of a container: what is extra wins, and no name stands twice. Takes a dict of own and extra. */}}
{{- define "aloft.environment" -}}
{{- $names := list }}
{{- range .extra }}
{{- $names = append $names .name }}
{{- end }}
{{- $all := list }}
{{- range fromYamlArray .own }}
{{- if not (has .name $names) }}
{{- $all = append $all . }}
{{- end }}
{{- end }}
{{- toYaml (concat $all .extra) }}
{{- end }}
