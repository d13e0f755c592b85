{{- define "bestframe.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "bestframe.selector" -}}
app.kubernetes.io/name: bestframe
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "bestframe.labels" -}}
{{ include "bestframe.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "bestframe.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "bestframe.name" .) }}
{{- end }}

{{- define "bestframe.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* A setting as text: a large number is a float in Helm. */}}
{{- define "bestframe.value" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{- define "bestframe.regions" -}}
{{- range $index, $region := .Values.verify.regions }}{{ if $index }},{{ end }}{{ $region.name }}{{ end }}
{{- end }}

{{/* The settings of every process. Each process sets its own ones in addition. */}}
{{- define "bestframe.settings" -}}
BESTFRAME_REGIONS: {{ include "bestframe.regions" . | quote }}
BESTFRAME_LOG: json
BESTFRAME_MONITOR_HOST: 0.0.0.0
BESTFRAME_MONITOR_PORT: '9464'
BESTFRAME_FRAMES_DIR: /frames
{{- if .Values.staging.existingClaim }}
BESTFRAME_FILE_ROOTS: /staging
BESTFRAME_STAGING_DIR: /staging
{{- else if and .Values.staging.bucketFolder .Values.settings.BESTFRAME_BUCKETS }}
BESTFRAME_STAGING_DIR: cos:{{ .Values.staging.bucketFolder }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "bestframe.value" $value | quote }}
{{- end }}
{{- end }}

{{/* The time after which a pod is killed: longer than a worker drains, and 5 s more for the services to forget a pod of the API. */}}
{{- define "bestframe.grace" -}}
{{- add 15 (ceil (divf (.Values.settings.BESTFRAME_DRAIN_MS | default 30000) 1000)) }}
{{- end }}

{{/* The components that get a secret setting, separated by commas; all of them if the setting is not listed here. */}}
{{- define "bestframe.audience" -}}
{{- if has . (list "TENCENTCLOUD_SECRET_ID" "TENCENTCLOUD_SECRET_KEY" "TENCENTCLOUD_TOKEN") -}}
verify,erase,api
{{- else if has . (list "BESTFRAME_DASHBOARD_USER" "BESTFRAME_DASHBOARD_PASSWORD" "BESTFRAME_DASHBOARD_USERS" "BESTFRAME_DASHBOARD_IDENTITY_SECRET") -}}
dashboard
{{- else if has . (list "BESTFRAME_WEBHOOKS" "BESTFRAME_WEBHOOK_SECRETS") -}}
notify
{{- else -}}
verify,erase,notify,api,dashboard
{{- end }}
{{- end }}

{{/*
A Deployment.
root: the context of the chart; component: e.g. verify-ap-singapore; kind: e.g. verify; args: of the command; values: of the component;
replicas: null leaves them to an autoscaler; env: further variables; ports: further container ports; folders: names of folders, each
with `claim` ('' for an empty folder), `readOnly` and `size`.
*/}}
{{- define "bestframe.deployment" -}}
{{- $root := .root -}}
{{- $kind := .kind -}}
{{- $serves := or (eq $kind "api") (eq $kind "dashboard") -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "bestframe.name" $root }}-{{ .component }}
  labels: {{- include "bestframe.labels" . | nindent 4 }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "bestframe.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  template:
    metadata:
      labels: {{- include "bestframe.labels" . | nindent 8 }}
      annotations:
        # New settings start new pods.
        checksum/settings: {{ include "bestframe.settings" $root | sha256sum }}
    spec:
      # Services of the namespace would otherwise set variables that look like settings.
      enableServiceLinks: false
      serviceAccountName: {{ include "bestframe.serviceAccount" $root }}
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {{ add (include "bestframe.grace" $root) (ternary 5 0 $serves) }}
      securityContext: {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      topologySpreadConstraints:
        - topologyKey: kubernetes.io/hostname
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "bestframe.selector" . | nindent 14 }}
      containers:
        - name: bestframe
          image: {{ include "bestframe.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: {{ toJson .args }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          envFrom:
            - configMapRef: { name: {{ include "bestframe.name" $root }} }
          env:
            {{- range $name, $value := .env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
            {{- range $name, $from := $root.Values.secretSettings }}
            {{- if and $from (has $kind (splitList "," (include "bestframe.audience" $name))) }}
            - name: {{ $name }}
              valueFrom:
                secretKeyRef: {{ toJson $from }}
            {{- end }}
            {{- end }}
          ports:
            - { name: monitor, containerPort: 9464 }
            {{- range .ports }}
            - {{ toJson . }}
            {{- end }}
          startupProbe:
            httpGet: { path: /livez, port: monitor }
            periodSeconds: 2
            failureThreshold: 30
          livenessProbe:
            httpGet: { path: /livez, port: monitor }
            periodSeconds: 15
            timeoutSeconds: 5
          readinessProbe:
            httpGet: { path: /readyz, port: monitor }
            periodSeconds: 10
            timeoutSeconds: 5
          {{- if $serves }}
          # Until all nodes have taken the pod out of the Service, requests still arrive.
          lifecycle:
            preStop:
              exec: { command: [sleep, '5'] }
          {{- end }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - { name: tmp, mountPath: /tmp }
            {{- range $name, $folder := .folders }}
            - { name: {{ $name }}, mountPath: /{{ $name }}{{ if $folder.readOnly }}, readOnly: true{{ end }} }
            {{- end }}
            {{- if $root.Values.filesSecret }}
            - { name: files, mountPath: /files, readOnly: true }
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: { sizeLimit: 256Mi }
        {{- range $name, $folder := .folders }}
        - name: {{ $name }}
          {{- if $folder.claim }}
          persistentVolumeClaim: { claimName: {{ $folder.claim }} }
          {{- else }}
          emptyDir: { sizeLimit: {{ $folder.size }} }
          {{- end }}
        {{- end }}
        {{- if $root.Values.filesSecret }}
        - name: files
          secret: { secretName: {{ $root.Values.filesSecret }} }
        {{- end }}
{{- end }}
