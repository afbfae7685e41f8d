{{- define "ground.name" -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{- end }}

{{- define "ground.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ground.labels" -}}
{{ include "ground.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "ground.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end }}

{{- define "ground.databaseHost" -}}
{{- if .Values.database.host -}}{{ .Values.database.host }}
{{- else if .Values.postgresql.enabled -}}{{ include "ground.name" . }}-postgresql
{{- else -}}{{ fail "database.host is empty, allowed: the host of a PostgreSQL server, or postgresql.enabled" }}
{{- end -}}
{{- end }}

{{- define "ground.databaseUrl" -}}
{{- with .Values.database -}}
postgres://{{ .user }}@{{ include "ground.databaseHost" $ }}:{{ .port }}/{{ .name }}{{ with .options }}?{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "ground.busUrl" -}}
{{- if .Values.bus.url -}}{{ .Values.bus.url }}
{{- else if .Values.nats.enabled -}}nats://{{ include "ground.name" . }}-nats:4222
{{- end -}}
{{- end }}

{{- define "ground.password" -}}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ required "database.passwordSecret.name is empty" .Values.database.passwordSecret.name }}
      key: {{ .Values.database.passwordSecret.key }}
{{- end }}

{{- define "ground.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "ground.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "ground.check" -}}
{{- $several := or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled -}}
{{- if and $several (not (include "ground.busUrl" .)) -}}
{{ fail "replicas above 1 and autoscaling need bus.url or nats.enabled" }}
{{- end -}}
{{- if and $several .Values.persistence.enabled -}}
{{ fail "replicas above 1 and autoscaling need persistence.enabled: false, because each process has a folder of its own" }}
{{- end -}}
{{- end }}
