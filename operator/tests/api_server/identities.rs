//! Certificates that are renewed in time, authorities that are rolled, and the user's own.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wanqu_identity::{Authority, NodeIdentity, Validity};

use crate::bed::{Bed, texts};
use crate::conditions::bundle;

fn node(secret: &BTreeMap<String, String>) -> NodeIdentity {
    NodeIdentity::from_pem("gba.example", &secret["node.pem"], &secret["node.key"]).unwrap()
}

fn certificates(text: &str) -> usize {
    text.matches("BEGIN CERTIFICATE").count()
}

/// Has the operator look at a jurisdiction now.
async fn look(bed: &Bed, name: &str) {
    let mark = Timestamp::now().to_string();
    bed.merge("Jurisdiction", "gba", name, json!({"metadata": {"annotations": {"look": mark}}})).await;
}

#[tokio::test]
async fn certificates_are_renewed_by_the_clock_and_peers_trust_the_next_authority_before_it_signs() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &["--leaf-seconds", "600", "--authority-seconds", "36000"]).await;
    bed.apply_examples().await;
    let identity = |object: &Value| Some(texts(object));
    let first = bed.until("Secret", "gba-hongkong", "hongkong-identity", identity).await;
    let other = bed.until("Secret", "gba-macau", "macau-identity", identity).await;

    // Two thirds of a leaf's life.
    bed.later(401);
    look(&bed, "hongkong").await;
    let renewed = bed
        .until("Secret", "gba-hongkong", "hongkong-identity", |object| {
            identity(object).filter(|texts| texts["node.pem"] != first["node.pem"])
        })
        .await;
    assert!(renewed["node.key"] != first["node.key"] && renewed["gateway.pem"] != first["gateway.pem"]);
    assert_eq!(node(&renewed).jurisdiction().as_str(), "HK");
    let now = texts(&bed.get("Secret", "gba-macau", "macau-identity").await.unwrap());
    assert!(now == other || node(&now).jurisdiction().as_str() == "MO");

    // Two thirds of the authority's life: a second one is trusted, by everybody, and signs nothing yet.
    let ca = texts(&bed.get("Secret", "gba-hongkong", "hongkong-ca").await.unwrap());
    bed.later(24_000);
    look(&bed, "hongkong").await;
    let both = bed
        .until("Secret", "gba-hongkong", "hongkong-ca", |object| {
            identity(object).filter(|texts| texts.contains_key("next.key"))
        })
        .await;
    assert_eq!(both["ca.pem"], ca["ca.pem"]);
    let trusts_both = |map: &Value| {
        let bundle = bundle(map);
        let member = bundle.members.iter().find(|member| member.sql_name.as_str() == "hongkong")?;
        (certificates(member.ca.as_ref()?) == 2).then_some(())
    };
    bed.until("ConfigMap", "gba-macau", "macau-bundle", trusts_both).await;
    let signed_by = |ca: &BTreeMap<String, String>, pem: &str, key: &str, leaf: &str| {
        Authority::from_pem("HK".parse().unwrap(), "gba.example", &ca[pem], &ca[key]).unwrap().signed(leaf).unwrap()
    };
    let leaf = texts(&bed.get("Secret", "gba-hongkong", "hongkong-identity").await.unwrap());
    assert!(signed_by(&both, "ca.pem", "ca.key", &leaf["node.pem"]));

    // A leaf's life later it signs, and the old one is still trusted.
    bed.later(601);
    look(&bed, "hongkong").await;
    let turned = bed
        .until("Secret", "gba-hongkong", "hongkong-ca", |object| {
            identity(object).filter(|texts| texts.contains_key("before.pem"))
        })
        .await;
    assert_eq!((&turned["ca.pem"], &turned["before.pem"]), (&both["next.pem"], &ca["ca.pem"]));
    assert!(!turned.contains_key("next.key") && turned.values().all(|text| *text != ca["ca.key"]), "its key is gone");
    bed.until("Secret", "gba-hongkong", "hongkong-identity", |object| {
        identity(object).filter(|leaf| signed_by(&turned, "ca.pem", "ca.key", &leaf["node.pem"]))
    })
    .await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", trusts_both).await;

    // Another leaf's life later the old one is over.
    bed.later(601);
    look(&bed, "hongkong").await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| trusts_both(map).is_none().then_some(())).await;
    let map = bed.get("ConfigMap", "gba", "hongkong-trust").await.unwrap();
    assert_eq!(texts(&map)["ca.pem"].trim(), turned["ca.pem"].trim());
}

#[tokio::test]
async fn a_new_authority_is_there_for_the_asking() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &["--leaf-seconds", "600"]).await;
    bed.apply_examples().await;
    let ca = |wanted: fn(&BTreeMap<String, String>) -> bool| {
        bed.until("Secret", "gba-macau", "macau-ca", move |object| Some(texts(object)).filter(wanted))
    };
    let first = ca(|texts| texts.contains_key("ca.pem")).await;
    let roll = |wish: &'static str| {
        let wish = json!({"metadata": {"annotations": {"wanqu.dev/roll-authority": wish}}});
        bed.merge("Jurisdiction", "gba", "macau", wish)
    };
    roll("2026-01-01").await;
    let begun = ca(|texts| texts.contains_key("next.pem")).await;
    assert_eq!((&begun["ca.pem"], begun["asked"].as_str()), (&first["ca.pem"], "2026-01-01"));
    let told = |part: &'static str| {
        bed.until("Jurisdiction", "gba", "macau", move |object| {
            let message = crate::bed::condition(object, "IdentityReady")?["message"].as_str()?;
            message.contains(part).then_some(())
        })
    };
    told("a new authority is trusted beside the one that signs").await;

    // Asked twice while it is rolled: once it is done, another one follows, and no third.
    roll("2026-01-02").await;
    bed.later(601);
    look(&bed, "macau").await;
    let signs = ca(|texts| texts.contains_key("before.pem")).await;
    assert_eq!((&signs["ca.pem"], signs["asked"].as_str()), (&begun["next.pem"], "2026-01-01"));
    told("the new authority signs").await;
    bed.later(601);
    look(&bed, "macau").await;
    let again = ca(|texts| texts.contains_key("next.pem")).await;
    assert_eq!((&again["ca.pem"], again["asked"].as_str()), (&signs["ca.pem"], "2026-01-02"));
}

#[tokio::test]
async fn an_authority_of_the_users_own_is_used_and_a_secret_that_is_none_says_so() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"authoritySecret": {"name": "my-ca"}}})).await;
    let message = bed.condition("Jurisdiction", "macau", "IdentityReady", "False", "SecretInvalid").await;
    assert!(message.starts_with("spec.authoritySecret: Secret my-ca: it is not there; "), "{message}");

    let secret = |pem: &str, key: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-ca", "namespace": "gba"},
            "stringData": {"ca.pem": pem, "ca.key": key},
        })
        .to_string()
    };
    let own = |id: &str| {
        let validity = Validity::lasting(Timestamp::now(), Duration::from_hours(240));
        Authority::new(id.parse().unwrap(), "gba.example", validity).unwrap()
    };
    let (mo, hk) = (own("MO"), own("HK"));
    for (pem, key) in [
        ("garbage", "garbage"),
        (mo.certificate_pem(), hk.key_pem().as_str()),
        (hk.certificate_pem(), hk.key_pem().as_str()),
    ] {
        bed.apply(&secret(pem, key)).await;
        look(&bed, "macau").await;
        bed.until("Jurisdiction", "gba", "macau", |object| {
            let message = crate::bed::condition(object, "IdentityReady")?["message"].as_str()?;
            assert!(!message.contains("BEGIN"), "no key in a condition");
            (message.contains("my-ca") && !message.contains("not there")).then_some(())
        })
        .await;
    }
    bed.ready("Dataset", "hongkong-visits").await;

    bed.apply(&secret(mo.certificate_pem(), &mo.key_pem())).await;
    bed.condition("Jurisdiction", "macau", "IdentityReady", "True", "Issued").await;
    bed.until("Secret", "gba-macau", "macau-identity", |object| {
        mo.signed(&texts(object)["node.pem"]).unwrap().then_some(())
    })
    .await;
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        let bundle = bundle(map);
        let member = bundle.members.iter().find(|member| member.sql_name.as_str() == "macau")?;
        (member.ca.as_deref()?.trim() == mo.certificate_pem().trim()).then_some(())
    })
    .await;
}
