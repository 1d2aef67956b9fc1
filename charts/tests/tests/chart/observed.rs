//! The dashboard and the alerts query only metrics that exist, and every alert has a remedy.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wanqu_chart_tests::{Rendered, metrics, root, used};

use crate::with;

fn everything() -> Rendered {
    with(&["metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true"])
}

fn alerts(rendered: &Rendered) -> Vec<Value> {
    rendered.one("PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap().clone()
}

fn dashboard(rendered: &Rendered) -> Value {
    serde_json::from_str(rendered.one("ConfigMap")["data"]["wanqu.json"].as_str().unwrap()).unwrap()
}

/// Every `expr` and `query` text below a value.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if ["expr", "query"].contains(&name.as_str()) => found.push(text.clone()),
                    _ => queries(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn every_metric_that_is_asked_for_is_counted_somewhere_and_the_other_way_round() {
    let rendered = everything();
    let mut all = Vec::new();
    queries(&dashboard(&rendered), &mut all);
    let shown: BTreeSet<String> = all.iter().flat_map(|query| used(query)).collect();
    assert_eq!(shown, metrics(), "the dashboard shows all that there is, and nothing that is not");
    for alert in alerts(&rendered) {
        let asked = used(alert["expr"].as_str().unwrap());
        assert!(!asked.is_empty() && asked.is_subset(&metrics()), "{}", alert["alert"]);
    }
}

#[test]
fn brackets_in_the_queries_of_alerts_and_dashboards_are_balanced() {
    let rendered = everything();
    let mut all: Vec<String> = alerts(&rendered).iter().map(|a| a["expr"].as_str().unwrap().to_owned()).collect();
    queries(&dashboard(&rendered), &mut all);
    assert!(all.len() > 25, "{}", all.len());
    for query in all {
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            assert_eq!(query.matches(open).count(), query.matches(close).count(), "{query}");
        }
        assert_eq!(query.matches('"').count() % 2, 0, "{query}");
    }
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let rendered = with(&[
        "metrics.prometheusRule.enabled=true",
        "metrics.prometheusRule.runbookBase=https://runbooks.example/wanqu",
    ]);
    let folder = root().join("docs/runbooks");
    let mut named = BTreeSet::new();
    for alert in alerts(&rendered) {
        let name = alert["alert"].as_str().unwrap();
        assert_eq!(alert["annotations"]["runbook_url"], format!("https://runbooks.example/wanqu/{name}.md"));
        assert!(["warning", "critical"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
        let page = std::fs::read_to_string(folder.join(format!("{name}.md"))).unwrap_or_default();
        for part in ["What it means", "Look", "Do"] {
            assert!(page.contains(&format!("\n## {part}\n")), "{name}: {part}");
        }
        named.insert(format!("{name}.md"));
    }
    let pages: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(pages, named);
}

#[test]
fn certificates_alarm_by_the_life_that_they_have() {
    let expression = |sets: &[&str]| {
        let rendered = with(&[&["metrics.prometheusRule.enabled=true"], sets].concat());
        let found = alerts(&rendered).into_iter().find(|alert| alert["alert"] == "WanquCertificateExpires").unwrap();
        found["expr"].as_str().unwrap().to_owned()
    };
    assert!(expression(&[]).ends_with("< 14400"));
    assert!(expression(&["certificates.leafSeconds=3600"]).ends_with("< 600"));
}

#[test]
fn the_dashboard_lies_where_a_sidecar_finds_it() {
    let rendered = with(&["metrics.dashboard.enabled=true", "metrics.dashboard.annotations.grafana_folder=Wanqu"]);
    let map = &rendered.one("ConfigMap")["metadata"];
    assert_eq!(map["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["annotations"], json!({"grafana_folder": "Wanqu"}));
    let panels = dashboard(&rendered)["panels"].as_array().unwrap().clone();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
}
