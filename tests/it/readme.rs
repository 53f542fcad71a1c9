//! What the README says is so: its walks work as they are written, its settings are the settings.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::Args;
use latchkey::config::Settings;
use serde_json::Value;
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");

/// Where the README's server listens.
const LISTEN: &str = "localhost:8080";

/// The fenced blocks of one walk, in their order, as one script.
fn walk(name: &str) -> String {
    let fence = format!("```sh walk={name}\n");
    let blocks = README.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    let script: String = blocks.collect();
    assert!(!script.is_empty(), "there is no walk `{name}` in the README");
    script
}

/// The policy that it shows.
fn policy() -> &'static str {
    let section = README.split("\n## The policy of gateways\n").nth(1).unwrap();
    section.split("```json\n").nth(1).unwrap().split("```").next().unwrap()
}

/// The real binary, in a folder of its own, as `serve` starts it for a new user.
struct Running {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Running {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), policy()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]).args(flags);
        clean(&mut command, folder.path());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| event.get("message").is_some_and(|message| message == "ready"))
            .unwrap();
        let listen = ready.get("listen").and_then(Value::as_str).unwrap();
        let address = listen.replace("127.0.0.1", "localhost");
        // The log goes on; nobody may block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, folder }
    }

    /// Pastes a walk into a shell beside the server; returns what it printed.
    fn paste(&self, script: &str) -> String {
        let script = script.replace(LISTEN, &self.address);
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]);
        clean(&mut command, self.folder.path());
        let binaries = Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", binaries.display()));
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{printed}\n{errors}");
        assert!(!printed.contains(r#""error""#), "{script}\n{printed}");
        printed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Without the settings and the proxies of whoever runs the tests.
fn clean(command: &mut Command, folder: &Path) {
    command.current_dir(folder);
    for (name, _) in std::env::vars() {
        if name.starts_with("LATCHKEY_") || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
}

#[test]
fn the_walk_with_a_secret_works() {
    let printed = Running::start().paste(&walk("secret"));
    assert!(printed.contains(r#""sub":""#), "{printed}");
    assert!(printed.contains(r#""access_token":""#), "{printed}");
}

#[test]
fn the_walk_with_a_key_works() {
    let printed = Running::start().paste(&walk("key"));
    assert!(printed.contains("sub"), "{printed}");
    assert!(printed.contains(r#""access_token":""#), "{printed}");
}

#[test]
fn the_walk_that_registers_a_key_works() {
    let printed = Running::start().paste(&walk("register"));
    assert_eq!(printed.trim().split('.').count(), 3, "{printed}");
}

#[test]
fn the_walk_with_openssl_works() {
    let printed = Running::start().paste(&walk("openssl"));
    assert!(printed.contains(r#""access_token":""#), "{printed}");
}

#[test]
fn the_walks_of_an_administrator_work() {
    let running = Running::start();
    for name in ["clients", "admin"] {
        let printed = running.paste(&walk(name));
        assert!(printed.contains("orders reader"), "{name}: {printed}");
        assert_eq!(printed.contains("write:orders"), name == "clients", "{name}: {printed}");
    }
}

#[test]
fn the_walk_of_a_client_that_looks_after_itself_works() {
    let printed = Running::start().paste(&walk("own"));
    assert_eq!(printed.matches(r#""access_token":""#).count(), 2, "{printed}");
    assert!(printed.contains(r#""client_name":"renamed""#), "{printed}");
}

#[test]
fn the_walk_of_calling_back_works() {
    let running = Running::start();
    let printed = running.paste(&(walk("secret") + &walk("revoke")));
    assert!(printed.contains(r#"{"active":false}"#), "{printed}");
    assert!(printed.contains(r#""name":"epoch:"#), "{printed}");
}

#[test]
fn the_walk_of_a_move_works() {
    let running = Running::start();
    let printed = running.paste(&walk("import"));
    assert!(printed.matches("imported_with_new_secret").count() == 2, "{printed}");
    let secrets = std::fs::read_to_string(running.folder.path().join("new-secrets.jsonl")).unwrap();
    assert!(secrets.contains(r#""client_secret":"lk_"#));
}

#[test]
fn the_walk_of_a_gateway_works() {
    let printed = Running::with(&["--policy-file", "policy.json"]).paste(&walk("gateway"));
    let statuses: Vec<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).collect();
    assert_eq!(statuses, ["200", "403", "401", "200"], "{printed}");
    assert!(printed.contains("x-permissions: read:orders"), "{printed}");
}

#[test]
fn every_walk_is_run_by_a_test() {
    let names = README.split("```sh walk=").skip(1).map(|rest| rest.lines().next().unwrap());
    for name in names {
        let known = [
            "admin", "clients", "gateway", "import", "key", "openssl", "own", "register", "revoke",
            "secret",
        ];
        assert!(known.contains(&name), "{name}");
    }
}

#[test]
fn the_settings_in_the_readme_are_the_settings() {
    let section = README.split("\n## Settings\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut shown: BTreeMap<String, String> = rows
        .map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            (cells.next().unwrap().replace('`', ""), cells.next().unwrap().replace('`', ""))
        })
        .collect();

    let command = Settings::augment_args(clap::Command::new("test"));
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let row = shown.remove(id).unwrap_or_else(|| panic!("`{id}` is not in the table"));
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let told = help.split_once("[default: ").and_then(|(_, rest)| rest.strip_suffix(']'));
        let values = argument.get_default_values().iter().map(|value| value.to_str().unwrap());
        let values = values.collect::<Vec<_>>().join(",");
        let default = match told {
            Some(told) => told,
            None if values.is_empty() => "–",
            None => &values,
        };
        assert_eq!(row, default, "the default of `{id}`");
    }
    assert!(shown.is_empty(), "no settings: {:?}", shown.keys());
}
