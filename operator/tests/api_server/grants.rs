//! Placement in namespaces of others: what rights on `wanqu.dev` in one namespace reach in another, and what a grant allows.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use wanqu_testbed::Mark;

use crate::bed::{Bed, OPERATOR, condition};
use crate::guard;
use crate::pods::pod;
use crate::rights::bind;

/// Somebody with rights on the resources of this project in the namespace `evil` alone.
struct Attacker {
    client: Client,
}

impl Attacker {
    async fn new(bed: &Bed) -> Self {
        bed.namespace("evil").await;
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "mallory", "namespace": "evil"},
            "rules": [
                {"apiGroups": ["wanqu.dev"], "resources": ["*"], "verbs": ["*"]},
                {"apiGroups": [""], "resources": ["pods", "secrets", "configmaps"], "verbs": ["*"]},
            ],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "mallory", "namespace": "evil"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mallory"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
        });
        bed.apply(&role.to_string()).await;
        bed.apply(&binding.to_string()).await;
        Self { client: bed.plane.user("mallory", None).unwrap().client().await.unwrap() }
    }

    async fn apply(&self, namespace: &str, object: &Value) -> Result<(), kube::Error> {
        let kind = Bed::resource(object["kind"].as_str().unwrap());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind);
        let name = object["metadata"]["name"].as_str().unwrap();
        api.patch(name, &PatchParams::apply("mallory").force(), &Patch::Apply(object)).await.map(drop)
    }

    /// A federation of the same name and trust domain as the real one, whose only node is placed where Hong Kong's is.
    async fn attack(&self, jurisdiction: &str) {
        for object in [
            resource("Federation", "gba", &json!({"trustDomain": "gba.example", "members": ["HK"]})),
            resource(
                "Jurisdiction",
                jurisdiction,
                &json!({
                    "id": "HK", "sqlName": "hongkong", "dataClaim": "records",
                    "placement": {"namespace": "gba-hongkong"}, "issuers": [{"issuer": "kubernetes"}],
                }),
            ),
        ] {
            self.apply("evil", &object).await.unwrap();
        }
    }
}

fn resource(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "wanqu.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A grant of the namespace, for the Jurisdictions of another one.
fn grant(namespace: &str, from: &Value, claims: &[&str]) -> String {
    json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "PlacementGrant",
        "metadata": {"name": "grant", "namespace": namespace}, "spec": {"from": [from], "claims": claims},
    })
    .to_string()
}

/// Waits for a condition of the attacker's Jurisdiction, and returns its message.
async fn told(bed: &Bed, name: &str, of: &str, reason: &str) -> String {
    bed.until("Jurisdiction", "evil", name, |object| {
        let condition = condition(object, of).filter(|condition| condition["reason"] == reason)?;
        (condition["status"] == "False").then(|| condition["message"].as_str().unwrap().to_owned())
    })
    .await
}

/// Everything that was written in a namespace since then, by verb and object.
fn written_in(bed: &Bed, namespace: &str, mark: Mark) -> Vec<String> {
    let requests = bed.writes_since(mark).into_iter();
    let there = requests.filter(|request| request.object.as_ref().is_some_and(|object| object.namespace == namespace));
    there.map(|request| format!("{} {}", request.verb, request.uri)).collect()
}

#[tokio::test]
async fn rights_in_one_namespace_reach_nothing_in_another() {
    let bed = Bed::start().await;
    bind(&bed.client, OPERATOR).await;
    guard::install(&bed.client).await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    let _operator = bed.operator_as(&login, "a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    bed.until_quiet(std::time::Duration::from_secs(2)).await;

    let attacker = Attacker::new(&bed).await;
    let mark = bed.plane.audit().mark().unwrap();
    // She cannot consent for others.
    let consent: Value =
        serde_json::from_str(&grant("gba-hongkong", &json!({"namespace": "evil"}), &["records"])).unwrap();
    let refused = attacker.apply("gba-hongkong", &consent).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
    // Nor does a grant of her own namespace say anything of another.
    let own = resource("PlacementGrant", "grant", &json!({"from": [{"namespace": "evil"}], "claims": ["records"]}));
    attacker.apply("evil", &own).await.unwrap();
    for name in ["hongkong", "another"] {
        attacker.attack(name).await;
        let message = told(&bed, name, "WorkloadReady", "PlacementNotGranted").await;
        let expected = format!(
            "spec.placement.namespace: namespace gba-hongkong has no PlacementGrant for the node of Jurisdiction evil/{name}; \
             nothing is made there until somebody with rights in namespace gba-hongkong applies\napiVersion: "
        );
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(told(&bed, name, "Ready", "PlacementNotGranted").await, message);
        bed.delete("Jurisdiction", "evil", name).await;
        bed.until_gone("Jurisdiction", "evil", name).await;
    }
    assert_eq!(written_in(&bed, "gba-hongkong", mark), Vec::<String>::new());
    bed.ready("Federation", "gba").await;
}

#[tokio::test]
async fn a_grant_takes_effect_at_once_and_so_does_its_end() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    for member in ["shenzhen", "macau"] {
        bed.consent(member).await;
    }
    bed.apply_federation().await;
    let message = bed.condition("Jurisdiction", "hongkong", "WorkloadReady", "False", "PlacementNotGranted").await;
    // The other members run meanwhile.
    for member in ["shenzhen", "macau"] {
        bed.run_workload(&format!("gba-{member}"), &format!("{member}-node")).await;
        bed.ready("Jurisdiction", member).await;
    }
    assert!(bed.get("ServiceAccount", "gba-hongkong", "hongkong-node").await.is_none());

    // A grant of the place alone names the claim that is lacking; the lines of the condition are a grant that is enough.
    bed.apply(&grant("gba-hongkong", &json!({"namespace": "gba"}), &[])).await;
    let (_, lacking) = bed.told("Jurisdiction", "hongkong", "WorkloadReady", "False", "the claim records").await;
    assert!(lacking.contains("PlacementGrant gba-hongkong/grant lets the node of Jurisdiction gba/hongkong run there"));
    let (_, manifest) = message.split_once('\n').unwrap();
    bed.apply(manifest).await;
    bed.run_workload("gba-hongkong", "hongkong-node").await;
    bed.ready("Federation", "gba").await;
    let authority = bed.get("Secret", "gba-hongkong", "hongkong-ca").await.unwrap()["data"].clone();

    // Withdrawn: what the node runs by goes, its authority stays, and the others run on.
    bed.delete("PlacementGrant", "gba-hongkong", "gba-hongkong").await;
    for (kind, name) in [
        ("StatefulSet", "hongkong-node"),
        ("Service", "hongkong-node"),
        ("Service", "hongkong-exchange"),
        ("Service", "hongkong-gateway"),
        ("Secret", "hongkong-identity"),
        ("ConfigMap", "hongkong-bundle"),
        ("NetworkPolicy", "hongkong-node-egress"),
        ("PodDisruptionBudget", "hongkong-node"),
    ] {
        bed.until_gone(kind, "gba-hongkong", name).await;
    }
    bed.condition("Jurisdiction", "hongkong", "Ready", "False", "PlacementNotGranted").await;
    bed.ready("Jurisdiction", "macau").await;
    bed.apply(manifest).await;
    bed.run_workload("gba-hongkong", "hongkong-node").await;
    bed.ready("Federation", "gba").await;
    assert_eq!(bed.get("Secret", "gba-hongkong", "hongkong-ca").await.unwrap()["data"], authority, "the same node");

    // Withdrawn while its Federation is gone; then the Jurisdiction goes for good, and leaves nothing behind.
    bed.delete("Federation", "gba", "gba").await;
    let forget = json!({"metadata": {"annotations": {"wanqu.dev/forget": "authority"}}});
    bed.merge("Jurisdiction", "gba", "hongkong", forget).await;
    bed.delete("PlacementGrant", "gba-hongkong", "gba-hongkong").await;
    bed.until_gone("StatefulSet", "gba-hongkong", "hongkong-node").await;
    bed.delete("Jurisdiction", "gba", "hongkong").await;
    bed.until_gone("Jurisdiction", "gba", "hongkong").await;
    for (kind, name) in [("Secret", "hongkong-ca"), ("ServiceAccount", "hongkong-node")] {
        assert!(bed.get(kind, "gba-hongkong", name).await.is_none(), "{kind} {name}");
    }
}

/// The selector of a Service, and the labels of the pods of a workload, in the namespace `shared`.
async fn selector_and_pods(bed: &Bed, name: &str) -> (Value, Value) {
    let service = bed.until_there("Service", "shared", &format!("{name}-exchange")).await;
    let workload = bed.until_there("StatefulSet", "shared", &format!("{name}-node")).await;
    (service["spec"]["selector"].clone(), workload["spec"]["template"]["metadata"]["labels"].clone())
}

fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[tokio::test]
async fn two_federations_of_one_name_share_a_namespace_and_no_object() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.namespace("shared").await;
    for (name, from) in [("gba", "gba"), ("evil", "evil")] {
        let mut consent: Value =
            serde_json::from_str(&grant("shared", &json!({"namespace": from}), &["records"])).unwrap();
        consent["metadata"]["name"] = json!(name);
        bed.apply(&consent.to_string()).await;
    }
    bed.apply_examples().await;
    bed.merge("Jurisdiction", "gba", "hongkong", json!({"spec": {"placement": {"namespace": "shared"}}})).await;
    let (selector, pods) = selector_and_pods(&bed, "hongkong").await;
    let made = bed.until_there("Secret", "shared", "hongkong-identity").await;

    let attacker = Attacker::new(&bed).await;
    let placed = |name: &str| {
        let spec = json!({"id": "HK", "sqlName": "hongkong", "placement": {"namespace": "shared"}});
        resource("Jurisdiction", name, &spec)
    };
    let federation = resource("Federation", "gba", &json!({"trustDomain": "gba.example", "members": ["HK"]}));
    attacker.apply("evil", &federation).await.unwrap();
    attacker.apply("evil", &placed("hongkong")).await.unwrap();
    let message = told(&bed, "hongkong", "Ready", "NameTaken").await;
    assert!(message.contains("shared/hongkong-node exists and belongs to gba/hongkong"), "{message}");
    let now = bed.get("Secret", "shared", "hongkong-identity").await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    bed.delete("Jurisdiction", "evil", "hongkong").await;
    bed.until_gone("Jurisdiction", "evil", "hongkong").await;
    assert!(bed.get("StatefulSet", "shared", "hongkong-node").await.is_some(), "it was not hers to remove");

    // Under another name her node runs, beside the first and not behind its Services.
    attacker.apply("evil", &placed("another")).await.unwrap();
    let (her_selector, her_pods) = selector_and_pods(&bed, "another").await;
    assert!(selects(&selector, &pods) && selects(&her_selector, &her_pods));
    assert!(!selects(&selector, &her_pods), "{selector} selects {her_pods}");
    assert!(!selects(&her_selector, &pods), "{her_selector} selects {pods}");

    // Her consent is withdrawn, and not that of the other.
    bed.delete("PlacementGrant", "shared", "evil").await;
    bed.until_gone("StatefulSet", "shared", "another-node").await;
    bed.run_workload("shared", "hongkong-node").await;
    bed.ready("Jurisdiction", "hongkong").await;
}

#[tokio::test]
async fn pods_of_an_earlier_version_are_labelled_before_services_select_by_the_label() {
    let bed = Bed::start().await;
    let label = "wanqu.dev/federation-namespace";
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    operator.stop().await;
    // As an earlier version left it: a pod without the label, and a Service that does not ask for it.
    let old = json!({"spec": {"selector": {label: null}}});
    bed.merge("Service", "gba-macau", "macau-exchange", old).await;
    let pod = pod("MO", "macau");
    assert!(pod["metadata"]["labels"].get(label).is_none());
    bed.apply(&pod.to_string()).await;
    let mut foreign = pod.clone();
    foreign["metadata"]["name"] = json!("foreign");
    foreign["metadata"]["annotations"] = json!({"wanqu.dev/made-for": "evil/macau"});
    bed.apply(&foreign.to_string()).await;

    let _operator = bed.operator("b", &[]).await;
    bed.until("Service", "gba-macau", "macau-exchange", |service| {
        (service["spec"]["selector"][label] == "gba").then_some(())
    })
    .await;
    let labelled = bed.get("Pod", "gba-macau", "macau-node-0").await.unwrap();
    assert_eq!(labelled["metadata"]["labels"][label], "gba");
    let foreign = bed.get("Pod", "gba-macau", "foreign").await.unwrap();
    assert!(foreign["metadata"]["labels"].get(label).is_none(), "it is another's");
}
