{{/*
The policy of one component: whatever is not named is denied. Takes a dict of root, component, doors (ports for clients), within (a peer
that may always come to the doors), egress (rules) and needsEgress.
*/}}
{{- define "aloft.networkPolicy" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- if and .needsEgress (not .egress) }}
{{- fail (printf "networkPolicy.egress must say where the %s may connect to" .component) }}
{{- end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "aloft.name" .root }}-{{ .component }}
  labels: {{- include "aloft.labels" .root | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "aloft.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if .doors }}
    - ports:
        {{- range .doors }}
        - { port: {{ . }} }
        {{- end }}
      {{- with $policy.clients }}
      from: {{- toYaml (concat . (compact (list $.within))) | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- with $policy.monitoring }}
    - ports: [{ port: admin }]
      from: {{- toYaml . | nindent 8 }}
    {{- end }}
    {{- if not (or .doors $policy.monitoring) }}
    []
    {{- end }}
  egress:
    # The names of the others.
    - ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
    {{- if and (eq .component "edge") .root.Values.controlPlane.enabled }}
    - ports: [{ port: grpc }]
      to:
        - podSelector:
            matchLabels: {{- include "aloft.selector" (dict "root" .root "component" "control-plane") | nindent 14 }}
    {{- end }}
    {{- with .egress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
