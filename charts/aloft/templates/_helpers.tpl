{{/* What all names begin with: short enough for the longest suffix within the 63 characters of a name. */}}
{{- define "aloft.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "aloft.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Takes a dict of root and component. */}}
{{- define "aloft.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "aloft.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "aloft.serviceAccount" -}}
{{ .Values.serviceAccount | default (include "aloft.name" .) }}
{{- end }}

{{/* Takes a dict of root, component and role, the component's values. */}}
{{- define "aloft.podMetadata" -}}
{{- $own := merge (fromYaml (include "aloft.selector" .)) (fromYaml (include "aloft.labels" .root)) -}}
labels: {{- toYaml (merge $own (deepCopy .role.podLabels)) | nindent 2 }}
{{- with .role.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the pods of all components share. Takes a dict of root, component and role. */}}
{{- define "aloft.pod" -}}
serviceAccountName: {{ include "aloft.serviceAccount" .root }}
automountServiceAccountToken: false
# Kubernetes would add variables named after Services, and those that begin with ALOFT_ are configuration.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # Without this, all files of a large volume get the group anew at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "aloft.selector" $ | nindent 8 }}
  {{- end }}
{{- with .role.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .role.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the containers of all components share. */}}
{{- define "aloft.container" -}}
image: {{ include "aloft.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
{{- end }}

{{/* Takes a dict of root, component and role. */}}
{{- define "aloft.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "aloft.name" .root }}-{{ .component }}
  labels: {{- include "aloft.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "aloft.selector" . | nindent 6 }}
{{- end }}

{{/* Takes a dict of root, component, role and port, the name of the Service's port. */}}
{{- define "aloft.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "aloft.name" .root }}-{{ .component }}
  labels: {{- include "aloft.labels" .root | nindent 4 }}
  {{- with .role.ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .role.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    - host: {{ .role.ingress.host | required (printf "the ingress of %s needs a host" .component) | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "aloft.name" .root }}-{{ .component }}
                port: { name: {{ .port }} }
  {{- with .role.ingress.tlsSecret }}
  tls:
    - hosts: [{{ $.role.ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
{{- end }}
