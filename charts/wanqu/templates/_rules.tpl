{{/*
The operator's rights in a namespace that it watches. A comment before each rule gives its reason. Tests check that every rule
has one, and that the operator cannot work without any of the rules.
*/}}
{{- define "wanqu.rules" -}}
# The resources that describe a federation. The operator reads them, and never changes what a user wrote.
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
# The consents of namespaces to nodes from elsewhere. The operator only looks whether there is one.
- apiGroups: [wanqu.dev]
  resources: [placementgrants]
  verbs: [list, watch]
# The conditions of resources, which the operator writes into their status by server-side apply.
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
# A finalizer, by which a node is removed in order: its network policies last; and an annotation that notes where it was placed.
- apiGroups: [wanqu.dev]
  resources: [jurisdictions]
  verbs: [patch]
# A finalizer for queries that run, so that deleting one cancels it at the owners; and the deletion of expired queries. The
# operator creates none but as a dry run, by which it checks that nobody can ask in another's name.
- apiGroups: [wanqu.dev]
  resources: [federatedqueries]
  verbs: [create, patch, delete]
# The node: a StatefulSet, since each copy has a volume of its own for its audit log.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# The disks of a node's copies, which the StatefulSet's controller makes: they grow when the Jurisdiction says so.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, patch]
# The node's Services for other nodes (exchange) and researchers (gateway), its ServiceAccount, and the ConfigMap of its bundle.
- apiGroups: [""]
  resources: [services, serviceaccounts, configmaps]
  verbs: [get, list, watch, create, patch, delete]
# Keys and certificates of nodes, the key that signs tokens for requesters, and the authorities and kubeconfigs that a
# Jurisdiction names. Each by its name: without list and watch nobody finds out by these rights which Secrets there are.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
# The state of a node's pods, of which none may be left when its network policies go; an annotation on each, so that its kubelet refreshes a changed bundle at once; and a label on those from
# before an upgrade, before Services select by it.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# While machines are drained, a node with several copies keeps some of them.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Only the connections that the federation needs reach a node.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Events of the resources.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
