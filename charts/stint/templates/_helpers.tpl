{{/* Labels of every object; takes a dict of `root` and `component`. */}}
{{- define "stint.labels" -}}
{{ include "stint.selectorLabels" . }}
app.kubernetes.io/part-of: stint
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that selectors use: never changed by an upgrade. */}}
{{- define "stint.selectorLabels" -}}
app.kubernetes.io/name: stint
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Reference of an image; takes a dict of `root` and `image`. */}}
{{- define "stint.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* For a Prometheus that finds pods by annotations. With a PodMonitor there are none: it would scrape twice. */}}
{{- define "stint.scrapeAnnotations" -}}
{{- if and .Values.monitoring.scrapeAnnotations (not .Values.monitoring.podMonitor.enabled) -}}
prometheus.io/scrape: "true"
prometheus.io/port: "8080"
prometheus.io/path: /metrics
{{- end -}}
{{- end }}

{{/* Pod-level half of what Pod Security "restricted" asks for. */}}
{{- define "stint.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Container-level half. */}}
{{- define "stint.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What the controller needs to write the NetworkPolicies of sessions, as JSON. */}}
{{- define "stint.sessionNetworkPolicy" -}}
{{- $sessions := .Values.networkPolicy.sessions -}}
{{- $controller := include "stint.selectorLabels" (dict "root" . "component" "controller") | fromYaml -}}
{{- dict
      "enabled" $sessions.enabled
      "blockedCIDRs" $sessions.blockedCIDRs
      "dnsPorts" .Values.networkPolicy.dnsPorts
      "extraEgress" $sessions.extraEgress
      "controllerSelector" $controller
    | toJson -}}
{{- end }}

{{/* The controller's settings; operator/stint/settings.py reads them. */}}
{{- define "stint.environment" -}}
- name: STINT_SYSTEM_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: STINT_AGENT_IMAGE
  value: {{ include "stint.image" (dict "root" . "image" .Values.images.agent) | quote }}
- name: STINT_GATEWAY_IMAGE
  value: {{ include "stint.image" (dict "root" . "image" .Values.images.operator) | quote }}
- name: STINT_IMAGE_PULL_POLICY
  value: {{ .Values.images.pullPolicy }}
- name: STINT_WORKERS
  value: {{ .Values.controller.workers | quote }}
- name: STINT_LOG_LEVEL
  value: {{ upper .Values.controller.logLevel }}
- name: STINT_IMAGE_PULL_SECRETS
  value: {{ .Values.sessions.imagePullSecrets | toJson | quote }}
- name: STINT_DEFAULT_COST_LIMIT
  value: {{ .Values.sessions.defaultLimits.cost | quote }}
- name: STINT_UNREACHABLE_TOLERATION_SECONDS
  value: {{ .Values.sessions.unreachableTolerationSeconds | quote }}
- name: STINT_AGENT_RESOURCES
  value: {{ .Values.sessions.resources.agent | toJson | quote }}
- name: STINT_GATEWAY_RESOURCES
  value: {{ .Values.sessions.resources.gateway | toJson | quote }}
- name: STINT_CREATORS_KNOWN
  value: {{ or .Values.admission.enabled (eq (include "stint.policy" .) "true") | quote }}
- name: STINT_KEEP_CERTIFICATE
  value: {{ and .Values.admission.enabled (not .Values.admission.certManager.enabled) | quote }}
- name: STINT_NETWORK_POLICY
  value: {{ include "stint.sessionNetworkPolicy" . | quote }}
{{- end }}

{{/* The user's variables. Two of one name would make every later upgrade fail, so a name that the chart sets is refused. */}}
{{- define "stint.extraEnvironment" -}}
{{- $own := list }}
{{- range include "stint.environment" . | fromYamlArray }}
{{- $own = append $own .name }}
{{- end }}
{{- range .Values.controller.extraEnv }}
{{- if has .name $own }}
{{- fail (printf "controller.extraEnv: %s is set by this chart from other values (see values.yaml); take it out of extraEnv" .name) }}
{{- end }}
{{- end }}
{{- with .Values.controller.extraEnv }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* The settings of an admission replica. */}}
{{- define "stint.admissionEnvironment" -}}
- name: STINT_SYSTEM_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: STINT_LOG_LEVEL
  value: {{ upper .Values.controller.logLevel }}
- name: STINT_DEFAULT_COST_LIMIT
  value: {{ .Values.sessions.defaultLimits.cost | quote }}
{{- end }}

{{/* Egress that controller and admission need: the API server and DNS. */}}
{{- define "stint.egress" -}}
# The API server.
- ports:
    {{- range .Values.networkPolicy.controller.egress.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.controller.egress.apiServer.cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
# DNS.
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.controller.egress.dnsPeers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Whether there is a ValidatingAdmissionPolicy: Kubernetes knows them since 1.30. */}}
{{- define "stint.policy" -}}
{{ and .Values.admission.policy (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) }}
{{- end }}

{{/* A match condition: not a write of Stint's own. */}}
{{- define "stint.notOurOwn" -}}
- name: not-a-write-of-stint
  expression: >-
    !(request.userInfo.username in ['system:serviceaccount:{{ .Release.Namespace }}:stint-controller',
    'system:serviceaccount:{{ .Release.Namespace }}:stint-release-finalizers'])
{{- end }}

{{/* All of a webhook but its name; takes a dict of `root`, `resource` and `path`. */}}
{{- define "stint.webhook" -}}
clientConfig:
  service: {name: stint-admission, namespace: {{ .root.Release.Namespace }}, path: /{{ .path }}, port: 443}
rules:
  - apiGroups: [stint.dev]
    apiVersions: [v1alpha1]
    operations: [CREATE, UPDATE]
    resources: [{{ .resource }}]
    scope: Namespaced
failurePolicy: Fail
sideEffects: None
timeoutSeconds: 5
admissionReviewVersions: [v1]
matchConditions:
  {{- include "stint.notOurOwn" .root | nindent 2 }}
  # Labels, finalizers and owners may change without us, so that the garbage collector can do its work while admission is away.
  - name: something-to-judge
    expression: >-
      request.operation == 'CREATE' || object.?spec != oldObject.?spec ||
      object.metadata.?annotations[?'stint.dev/created-by'] != oldObject.metadata.?annotations[?'stint.dev/created-by'] ||
      object.metadata.?annotations[?'stint.dev/created-by-groups'] != oldObject.metadata.?annotations[?'stint.dev/created-by-groups']
{{- end }}
