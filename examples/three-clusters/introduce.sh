#!/bin/sh
# Writes the Jurisdiction by which operators of other clusters know a member of this cluster: its name, its address, the range of
# addresses that its node connects from, the names of the issuers of its researchers, and the certificates of its authority. It
# contains no secret.
#
#   introduce.sh NAME HOST:PORT CIDR > NAME.yaml
set -eu
[ $# -eq 3 ] || { echo "usage: introduce.sh NAME HOST:PORT CIDR" >&2; exit 2; }
kubectl get --namespace gba "jurisdiction/$1" "configmap/$1-trust" --output go-template='{{- $member := index .items 0 }}{{ $trust := index .items 1 -}}
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata:
  name: {{ $member.metadata.name }}
spec:
  id: {{ $member.spec.id }}
  sqlName: {{ $member.spec.sqlName }}
  displayName: {{ printf "%q" $member.spec.displayName }}
{{- with $member.spec.issuers }}
  issuers:
{{- range . }}
    - issuer: {{ printf "%q" .issuer }}
{{- with .audience }}
      audience: {{ printf "%q" . }}
{{- end }}
{{- end }}
{{- end }}
  network:
    cidrs: ["'"$3"'"]
  placement:
    external:
      endpoint: "'"$2"'"
      ca: {{ printf "%q" (index $trust.data "ca.pem") }}
'
