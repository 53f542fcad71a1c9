//! The files in `deploy/` speak of settings and metrics that there are.

use std::collections::BTreeSet;

use clap::Args;
use latchkey::config::{self, Config, Settings};
use latchkey::telemetry::{
    DecisionLabels, FailureLabels, KindLabels, LimitLabels, Metrics, RequestLabels, Status,
    WithinDays,
};

use crate::documents::manual;

const EXAMPLE: &str = include_str!("../../deploy/latchkey.toml");

fn command() -> clap::Command {
    Settings::augment_args(clap::Command::new("test"))
}

fn ids() -> BTreeSet<String> {
    command().get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

fn load(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.toml");
    std::fs::write(&path, text).unwrap();
    let flags = command().get_matches_from(["test"]);
    config::load(&flags, |_| None, Some(&path)).unwrap().settings
}

#[test]
fn the_example_is_in_force_as_it_is() {
    let resolved = Config::of(load(EXAMPLE), 8080).unwrap();
    assert_eq!(resolved.issuer, "http://localhost:8080");
    assert!(resolved.warnings().is_empty());
}

#[test]
fn every_setting_is_in_the_example_with_a_value_that_is_good() {
    let uncommented: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    load(&uncommented.join("\n"));

    let names = uncommented.iter().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    assert_eq!(names.map(str::to_owned).collect::<BTreeSet<_>>(), ids());
}

#[test]
fn every_variable_in_the_files_is_a_setting() {
    let files = [
        ("Dockerfile", include_str!("../../deploy/Dockerfile")),
        ("compose.yaml", include_str!("../../deploy/compose.yaml")),
        ("latchkey.service", include_str!("../../deploy/latchkey.service")),
        ("kubernetes/latchkey.yaml", include_str!("../../deploy/kubernetes/latchkey.yaml")),
        ("helm/latchkey/README.md", include_str!("../../deploy/helm/latchkey/README.md")),
        ("helm/latchkey/values.yaml", include_str!("../../deploy/helm/latchkey/values.yaml")),
        ("gateways/caddy/Caddyfile", include_str!("../../deploy/gateways/caddy/Caddyfile")),
        ("gateways/caddy/README.md", include_str!("../../deploy/gateways/caddy/README.md")),
        ("gateways/envoy/README.md", include_str!("../../deploy/gateways/envoy/README.md")),
        ("gateways/envoy/grpc.yaml", include_str!("../../deploy/gateways/envoy/grpc.yaml")),
        ("gateways/envoy/http.yaml", include_str!("../../deploy/gateways/envoy/http.yaml")),
        ("gateways/haproxy/README.md", include_str!("../../deploy/gateways/haproxy/README.md")),
        ("gateways/haproxy/haproxy.cfg", include_str!("../../deploy/gateways/haproxy/haproxy.cfg")),
        ("gateways/nginx/README.md", include_str!("../../deploy/gateways/nginx/README.md")),
        ("gateways/nginx/nginx.conf", include_str!("../../deploy/gateways/nginx/nginx.conf")),
        ("gateways/traefik/README.md", include_str!("../../deploy/gateways/traefik/README.md")),
        ("gateways/traefik/routes.yaml", include_str!("../../deploy/gateways/traefik/routes.yaml")),
        ("resource-servers/README.md", include_str!("../../deploy/resource-servers/README.md")),
    ];
    let files = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
    for (file, text) in manual().into_iter().chain(files) {
        let names = text.split("LATCHKEY_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_ascii_lowercase()
        });
        let names = names.filter(|name| name != "config" && !name.starts_with("test_"));
        for name in names {
            assert!(ids().contains(&name), "{file}: LATCHKEY_{}", name.to_ascii_uppercase());
        }
    }
}

/// What the page shows, `tests/clients/run.sh` takes out of it and runs, but for the one of .NET.
#[test]
fn the_code_for_resource_servers_is_run_as_it_is_printed() {
    let page = include_str!("../../deploy/resource-servers/README.md");
    let run = include_str!("../clients/run.sh");
    let fences: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("```")).collect();
    let opening: Vec<&str> = fences.into_iter().filter(|info| !info.is_empty()).collect();
    let (run_there, not_run): (Vec<&str>, Vec<&str>) =
        opening.into_iter().partition(|info| info.contains(" verify="));
    assert_eq!(not_run, [""; 0]);
    for info in &run_there {
        let name = info.split_once(" verify=").unwrap().1;
        let is_named = |line: &str| {
            (line.contains("snippet ") || line.contains("for name in "))
                && line.split([' ', ';']).any(|word| word == name)
        };
        assert!(run.lines().any(is_named), "{name}");
    }
    assert_eq!(run_there.len(), 8);
}

#[test]
fn every_metric_of_the_dashboard_and_the_manual_is_one_that_we_have() {
    let metrics = Metrics::default();
    let labels = RequestLabels { route: "/tokeninfo", status: Status(200) };
    metrics.requests.get_or_create(&labels).observe(0.001);
    let decided = DecisionLabels { answer: "yes", reason: "permitted" };
    metrics.decisions.get_or_create(&decided).inc();
    // A family is shown from its first member on.
    metrics.authentication_failures.get_or_create(&FailureLabels { reason: "unknown" }).inc();
    metrics.throttled.get_or_create(&LimitLabels { limit: "address" }).inc();
    metrics.connections_refused.get_or_create(&LimitLabels { limit: "address" }).inc();
    metrics.unreadable.get_or_create(&KindLabels { kind: "client" }).inc();
    metrics.credentials_expiring.get_or_create(&WithinDays { within_days: 7 }).set(1);
    let rendered = metrics.render();
    let dashboard = include_str!("../../deploy/grafana/latchkey.json");
    let names = metrics_in(dashboard);
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let given = rendered.contains(&format!("\n{name}{{"));
        assert!(given || rendered.contains(&format!("\n{name} ")), "{name}");
    }
    for (page, text) in manual() {
        for name in metrics_in(&text) {
            // What ends in a unit or a kind is declared without its end.
            let ends = ["", "_total", "_info"].into_iter();
            let mut declared = ends.filter_map(|end| name.strip_suffix(end));
            let is_declared = |name: &str| rendered.contains(&format!("# TYPE {name} "));
            assert!(declared.any(is_declared), "{page}: {name}");
        }
    }
}

fn metrics_in(text: &str) -> BTreeSet<&str> {
    let ends = |c: char| !c.is_ascii_lowercase() && c != '_';
    let names = text.match_indices("latchkey_").map(|(start, _)| text[start..].split(ends));
    names.map(|mut words| words.next().unwrap()).collect()
}

#[test]
fn the_yaml_and_json_files_can_be_read() {
    for (file, text, documents) in [
        ("compose.yaml", include_str!("../../deploy/compose.yaml"), 1),
        ("kubernetes/latchkey.yaml", include_str!("../../deploy/kubernetes/latchkey.yaml"), 4),
        ("envoy/grpc.yaml", include_str!("../../deploy/gateways/envoy/grpc.yaml"), 1),
        ("envoy/http.yaml", include_str!("../../deploy/gateways/envoy/http.yaml"), 1),
        ("traefik/routes.yaml", include_str!("../../deploy/gateways/traefik/routes.yaml"), 1),
        ("traefik/traefik.yaml", include_str!("../../deploy/gateways/traefik/traefik.yaml"), 1),
        ("secret.yaml", include_str!("../../deploy/kubernetes/examples/secret.yaml"), 1),
        ("helm/latchkey/values.yaml", include_str!("../../deploy/helm/latchkey/values.yaml"), 1),
        ("ci.yml", include_str!("../../.github/workflows/ci.yml"), 1),
        ("release.yml", include_str!("../../.github/workflows/release.yml"), 1),
    ] {
        let parts: Vec<&str> = text.split("\n---\n").collect();
        assert_eq!(parts.len(), documents, "{file}");
        for part in parts {
            let read: Result<serde_json::Value, _> = serde_saphyr::from_str(part);
            assert!(read.is_ok_and(|value| value.is_object()), "{file}");
        }
    }
    let dashboard = include_str!("../../deploy/grafana/latchkey.json");
    assert!(serde_json::from_str::<serde_json::Value>(dashboard).is_ok());
}
