//! What deploy/ has for those who watch Waypost: alerts, runbook, dashboard. They name metrics that exist and each
//! other. tests/observe/run.sh tries them with promtool and a real Prometheus.

#![allow(missing_docs)]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use waypost::control::metrics::{Kind, catalogue};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn alerts() -> Vec<serde_yaml::Value> {
    let file: serde_yaml::Value = serde_yaml::from_str(&read("deploy/prometheus/alerts.yml")).unwrap();
    let groups = file["groups"].as_sequence().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap().clone()).collect()
}

fn text<'v>(value: &'v serde_yaml::Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value:?}"))
}

/// Every metric that an expression names.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| word.starts_with("waypost_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

/// The names by which a scraper knows the metrics.
fn served() -> BTreeSet<String> {
    let names = |entry: &'static waypost::control::metrics::Entry| match entry.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", entry.name)).to_vec(),
        Kind::Counter | Kind::Gauge => vec![entry.name.to_owned()],
    };
    catalogue().flat_map(names).collect()
}

/// Every `expr` of the dashboard.
fn expressions(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("expr").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(expressions)).collect()
        }
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/waypost.json")).expect("JSON")
}

#[test]
fn each_alert_has_its_section_in_the_runbook_and_its_test() {
    let runbook = read("deploy/runbook.md");
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let tests = read("tests/observe/alerts_test.yml");
    let mut names = Vec::new();
    for alert in alerts() {
        let name = text(&alert, "alert").to_owned();
        let anchor = format!("deploy/runbook.md#{}", name.to_ascii_lowercase());
        assert_eq!(text(&alert["annotations"], "runbook"), anchor);
        assert!(tests.contains(&format!("runbook: {anchor}")), "{name} is never seen to fire");
        assert!(!text(&alert["annotations"], "summary").is_empty());
        assert!(["critical", "warning", "info"].contains(&text(&alert["labels"], "severity")), "{name}");
        names.push(name);
    }
    assert_eq!(names, sections, "alerts and sections, in one order");
    assert!(names.len() >= 12);
}

#[test]
fn the_links_of_the_runbook_lead_to_its_sections() {
    let runbook = read("deploy/runbook.md");
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_ascii_lowercase).collect();
    let links: Vec<&str> =
        runbook.split("](#").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect();
    assert!(links.len() >= 5);
    for link in links {
        assert!(sections.contains(link), "{link} leads nowhere");
    }
}

#[test]
fn alerts_runbook_and_dashboard_name_metrics_that_exist() {
    let served = served();
    let alerts: Vec<String> = alerts().iter().map(|alert| text(alert, "expr").to_owned()).collect();
    let runbook = read("deploy/runbook.md");
    let code: Vec<String> = runbook.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let shown = expressions(&dashboard());
    for (what, expressions, least) in
        [("alerts", alerts, 12), ("runbook", code, 12), ("dashboard", shown, 50)]
    {
        let named: BTreeSet<String> = expressions.iter().flat_map(|text| metrics_in(text)).collect();
        assert!(named.len() >= least, "{what}: {named:?}");
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(unknown.is_empty(), "{what} names metrics that are not served: {unknown:?}");
    }
    assert_eq!(
        metrics_in("a_waypost_x + waypost_y{le=\"waypost\"}"),
        BTreeSet::from(["waypost_y".to_owned()])
    );
}

#[test]
fn the_dashboard_has_a_data_source_and_instances_to_choose() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name).unwrap();
    assert_eq!(
        (&variable("datasource")["type"], &variable("datasource")["query"]),
        (&"datasource".into(), &"prometheus".into())
    );
    let instance = variable("instance");
    assert_eq!(
        (&instance["type"], &instance["multi"], &instance["includeAll"]),
        (&"query".into(), &true.into(), &true.into())
    );
    for expression in expressions(&dashboard) {
        let of_all = expression.matches("waypost_").count() + expression.matches("process_").count();
        assert_eq!(expression.matches(r#"{instance=~"$instance""#).count(), of_all, "{expression}");
    }
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let is_row = panel["type"] == "row";
        assert!(is_row || panel["datasource"]["uid"] == "${datasource}", "{panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
    }
}
