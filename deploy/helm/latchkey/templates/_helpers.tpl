{{- define "latchkey.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of every object. It leaves room for the suffix -gateway. */}}
{{- define "latchkey.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 55 | trimSuffix "-" }}
{{- end }}

{{- define "latchkey.selectorLabels" -}}
app.kubernetes.io/name: {{ include "latchkey.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "latchkey.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "latchkey.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "latchkey.serviceAccountName" -}}
{{- $default := ternary (include "latchkey.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "latchkey.image" -}}
{{- $repository := required "set image.repository to where the image is, such as ghcr.io/OWNER/latchkey" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/*
The value of a setting, as a variable holds it; empty if it is not set. A number from a file of values is a float, which would be
printed as 1e+06. Kubernetes expands $(NAME); a second $ prevents that.
*/}}
{{- define "latchkey.value" -}}
{{- $text := "" }}
{{- if kindIs "slice" . }}{{ $text = join "," . }}
{{- else if kindIs "float64" . }}{{ $text = int64 . | toString }}
{{- else if not (kindIs "invalid" .) }}{{ $text = toString . }}
{{- end }}
{{- $text | replace "$(" "$$(" }}
{{- end }}

{{/* Settings that need each other, which the schema cannot express. */}}
{{- define "latchkey.validate" -}}
{{- $settings := .Values.settings }}
{{- if and (eq (toString $settings.registration) "token") (not .Values.secrets.initial_access_token.secret) }}
{{- fail "settings.registration is `token`: set secrets.initial_access_token" }}
{{- end }}
{{- if and $settings.webhook_url (not .Values.secrets.webhook_secret.secret) }}
{{- fail "settings.webhook_url needs secrets.webhook_secret" }}
{{- end }}
{{- if and (not $settings.webhook_url) .Values.secrets.webhook_secret.secret }}
{{- fail "secrets.webhook_secret needs settings.webhook_url" }}
{{- end }}
{{- if and .Values.secrets.admin_secret.secret (not $settings.admin_client_id) }}
{{- fail "secrets.admin_secret needs settings.admin_client_id" }}
{{- end }}
{{- if and .Values.signingKeys.secret (not (has (toString (default 0 $settings.key_rotation_days)) (list "0" "0d"))) }}
{{- fail "settings.key_rotation_days cannot work with signingKeys.secret: the server would have to write its new key into the Secret" }}
{{- end }}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) }}
{{- fail "autoscaling.maxReplicas must not be below autoscaling.minReplicas" }}
{{- end }}
{{- end }}
