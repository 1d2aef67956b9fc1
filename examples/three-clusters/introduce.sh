#!/bin/sh
# Writes by which the operators of other clusters know a member that runs in this one: its name, where it is reached, the
# addresses from which its node comes, and the certificates that may vouch for that node. There is no secret in it.
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
  network:
    cidrs: ["'"$3"'"]
  placement:
    external:
      endpoint: "'"$2"'"
      ca: {{ printf "%q" (index $trust.data "ca.pem") }}
'
