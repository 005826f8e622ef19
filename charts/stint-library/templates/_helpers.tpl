{{- define "stint-library.labels" -}}
app.kubernetes.io/name: stint-library
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: stint
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
