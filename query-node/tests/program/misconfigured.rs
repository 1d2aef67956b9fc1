//! Messages of a node that cannot start: the reason, once, and what to look at.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;

use wanqu_testing::free_address;

use crate::process::command;
use crate::world::{World, jid};

/// Returns the error stream of a node that does not start.
fn said(world: &World, change: &[(&str, OsString)]) -> String {
    let output = command(world, "HK", free_address(), free_address()).envs(change.iter().cloned()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

#[test]
fn each_mistake_has_one_message() {
    let world = World::new();
    let node = world.node("HK");
    let file = |name: &str, text: &[u8]| {
        fs::write(node.join(name), text).unwrap();
        node.join(name).into_os_string()
    };
    let identity = |member: &str, name: &str| world.identity_volume(member).join(name).into_os_string();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut stranger = world.bundle("HK");
    let own = stranger.members.iter_mut().find(|member| member.jurisdiction == jid("HK")).unwrap();
    own.ca = Some(world.authority("MO").certificate_pem().to_owned());
    let stranger = serde_json::to_vec(&stranger).unwrap();
    let nowhere = node.join("nowhere").into_os_string();
    let nowhere_text = nowhere.clone().into_string().unwrap();
    let in_node = |name: &str| node.join(name).display().to_string();
    let in_identity = |name: &str| world.identity_volume("HK").join(name).display().to_string();

    let cases: Vec<(Vec<(&str, OsString)>, String)> = vec![
        (
            vec![("WANQU_BUNDLE", nowhere.clone())],
            format!("cannot read the bundle {nowhere_text}: there is no such file or folder"),
        ),
        (
            vec![("WANQU_BUNDLE", file("garbage", b"apiVersion: v1"))],
            format!("{} is not a node bundle: expected value at line 1 column 1", in_node("garbage")),
        ),
        (
            vec![("WANQU_BUNDLE", file("cut.gz", &[0x1f, 0x8b, 8, 0]))],
            format!("{} is not a node bundle: it begins as a gzip file, and cannot be unpacked", in_node("cut.gz")),
        ),
        (
            vec![("WANQU_NODE_CERT", nowhere.clone())],
            format!("cannot read {nowhere_text}: there is no such file or folder"),
        ),
        (
            vec![("WANQU_NODE_KEY", identity("MO", "node.key"))],
            format!(
                "{} with {}: the key does not belong to the certificate",
                in_identity("node.pem"),
                world.identity_volume("MO").join("node.key").display()
            ),
        ),
        (
            vec![("WANQU_NODE_KEY", identity("HK", "gateway.key"))],
            format!(
                "{} with {}: the key is not an Ed25519 private key",
                in_identity("node.pem"),
                in_identity("gateway.key")
            ),
        ),
        (
            vec![("WANQU_GATEWAY_KEY", file("empty", b""))],
            format!("{} with {}: the private key is not valid PEM", in_identity("gateway.pem"), in_node("empty")),
        ),
        (
            vec![("WANQU_NODE_CERT", identity("MO", "node.pem")), ("WANQU_NODE_KEY", identity("MO", "node.key"))],
            "the certificate is that of MO, the bundle that of HK".to_owned(),
        ),
        (
            vec![("WANQU_BUNDLE", file("stranger", &stranger))],
            "the CA of HK does not vouch for the certificate: ".to_owned(),
        ),
        (
            vec![("WANQU_EXCHANGE_LISTEN", address.clone().into())],
            format!("cannot listen on {address}: the port is in use"),
        ),
        (
            vec![("WANQU_OBSERVATION_LISTEN", address.clone().into())],
            format!("cannot listen on {address}: the port is in use"),
        ),
        (vec![("WANQU_AUDIT", file("a-file", b""))], format!("the audit log {}/audit.ndjson: ", in_node("a-file"))),
        // Nobody makes folders there, whoever they are.
        (vec![("WANQU_AUDIT", "/sys/wanqu-audit".into())], "the audit log /sys/wanqu-audit/audit.ndjson: ".to_owned()),
    ];
    for (change, message) in cases {
        let text = said(&world, &change);
        let found: Vec<&str> = text.lines().filter(|line| line.contains(message.as_str())).collect();
        assert_eq!(found.len(), 1, "{message}\nis not said once in\n{text}");
        assert!(found[0].starts_with("query-node: "), "{text}");
        assert!(!text.contains("PRIVATE KEY") && !text.contains("panicked"), "{text}");
    }
}
