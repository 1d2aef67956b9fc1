{{/*
What the operator may do in a namespace that it looks after. Each rule says what it is for: the tests hold that every rule
has its reason, and that the operator cannot do its work without any one of them.
*/}}
{{- define "wanqu.rules" -}}
# The resources that describe a federation: the operator reads them, and never writes what a person wrote.
- apiGroups: [wanqu.dev]
  resources:
    - commontables
    - datasets
    - datasharingagreements
    - disclosurepolicies
    - federatedqueries
    - federations
    - jurisdictions
    - researchprojects
  verbs: [get, list, watch]
# What is right and what is not with each of them goes into its status, by server-side apply.
- apiGroups: [wanqu.dev]
  resources:
    - commontables/status
    - datasets/status
    - datasharingagreements/status
    - disclosurepolicies/status
    - federatedqueries/status
    - federations/status
    - jurisdictions/status
    - researchprojects/status
  verbs: [patch]
# A jurisdiction's node may run in another namespace, where no owner reference leads: a finalizer takes it down first.
- apiGroups: [wanqu.dev]
  resources: [jurisdictions]
  verbs: [patch]
# A query that is being asked has a finalizer, so that deleting it cancels it at the owners; one whose time is over goes. None
# is made but as a dry run, by which the operator finds out whether anybody could ask in another's name.
- apiGroups: [wanqu.dev]
  resources: [federatedqueries]
  verbs: [create, patch, delete]
# The node: a StatefulSet, since each copy keeps its audit log on a disk of its own.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# Where other nodes (exchange) and researchers (gateway) find it, the account it runs under, and the bundle it follows.
- apiGroups: [""]
  resources: [services, serviceaccounts, configmaps]
  verbs: [get, list, watch, create, patch, delete]
# Keys and certificates of nodes, the key that vouches for requesters, and kubeconfigs that lead to other clusters.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# Which of a node's copies are there; one annotation on each tells its kubelet that a new bundle is to be fetched at once.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# A drain of machines leaves a copy of each node that has more than one.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Nothing reaches a node but what the federation needs.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# What happened to a resource is told beside it, in its events.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
