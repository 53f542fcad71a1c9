//! What the README and the manual say is so: their walks work as they are written, their settings
//! are the settings.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::builder::PossibleValue;
use clap::{Arg, Args};
use latchkey::config::Settings;
use serde_json::Value;
use tempfile::TempDir;

use crate::databases::Kind;
use crate::documents::{Block, blocks, manual, read};

/// Where the server of the manual listens.
const LISTEN: &str = "localhost:8080";
/// The database that the manual names.
const DATABASE: &str = "mongodb://db.internal/latchkey";

/// Each page with its walks.
const WALKS: &[(&str, &[&str])] = &[
    ("README.md", &["key", "secret"]),
    ("docs/administration.md", &["admin", "clients", "reset"]),
    ("docs/audit-and-webhook.md", &["audit"]),
    ("docs/clients.md", &["openssl", "own", "register"]),
    ("docs/deployment.md", &["probes"]),
    ("docs/gateways/asking.md", &["gateway"]),
    ("docs/gateways/authzen.md", &["authzen"]),
    ("docs/gateways/policy.md", &["policy"]),
    ("docs/migration.md", &["import"]),
    ("docs/mongodb.md", &["copy"]),
    ("docs/operations.md", &["backup", "check", "restore", "restored"]),
    ("docs/quickstart.md", &["grant", "key", "secret"]),
    ("docs/revocation.md", &["revoke"]),
    ("docs/settings.md", &["config"]),
    ("docs/signing-keys.md", &["keys"]),
];

/// The fenced blocks of one walk, in their order, as one script.
fn walk(page: &str, name: &str) -> String {
    let known = WALKS.iter().any(|(it, names)| *it == page && names.contains(&name));
    let fence = format!("sh walk={name}");
    let blocks = blocks(&read(page)).into_iter().filter(|block| block.info == fence);
    let script: String = blocks.map(|block| block.text).collect();
    assert!(known && !script.is_empty(), "there is no walk `{name}` in {page}");
    script
}

/// The policy that the manual shows.
fn policy() -> String {
    let blocks = blocks(&read("docs/gateways/policy.md"));
    blocks.into_iter().find(|block| block.info == "json").unwrap().text
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
        Self::start_in(folder(), flags)
    }

    fn start_in(folder: TempDir, flags: &[&str]) -> Self {
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
        paste(self.folder.path(), &script.replace(LISTEN, &self.address))
    }

    /// Ends the server and leaves its folder.
    fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.folder, folder())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder but for the policy of the manual.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.json"), policy()).unwrap();
    folder
}

/// Pastes a walk into a shell; returns what it printed.
fn paste(folder: &Path, script: &str) -> String {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]);
    clean(&mut command, folder);
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

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
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
fn the_walks_with_a_secret_work() {
    for page in ["README.md", "docs/quickstart.md"] {
        let printed = Running::start().paste(&walk(page, "secret"));
        assert!(printed.contains(r#""sub":""#), "{page}: {printed}");
        let again = page != "README.md";
        assert_eq!(printed.contains(r#""access_token":""#), again, "{page}: {printed}");
    }
}

#[test]
fn the_walks_with_a_key_work() {
    for page in ["README.md", "docs/quickstart.md"] {
        let printed = Running::start().paste(&walk(page, "key"));
        assert!(printed.contains(r#""sub":""#), "{page}: {printed}");
        let again = page != "README.md";
        assert_eq!(printed.contains(r#""access_token":""#), again, "{page}: {printed}");
    }
}

#[test]
fn the_walk_that_grants_works() {
    let printed = Running::start().paste(&walk("docs/quickstart.md", "grant"));
    assert!(printed.contains("read:orders"), "{printed}");
}

#[test]
fn the_walk_that_registers_a_key_works() {
    let printed = Running::start().paste(&walk("docs/clients.md", "register"));
    assert_eq!(printed.trim().split('.').count(), 3, "{printed}");
}

#[test]
fn the_walk_with_openssl_works() {
    let printed = Running::start().paste(&walk("docs/clients.md", "openssl"));
    assert!(printed.contains(r#""access_token":""#), "{printed}");
}

#[test]
fn the_walk_of_a_client_that_manages_itself_works() {
    let printed = Running::start().paste(&walk("docs/clients.md", "own"));
    assert_eq!(printed.matches(r#""access_token":""#).count(), 2, "{printed}");
    assert!(printed.contains(r#""client_name":"renamed""#), "{printed}");
}

#[test]
fn the_walks_of_an_administrator_work() {
    let running = Running::start();
    for name in ["clients", "admin"] {
        let printed = running.paste(&walk("docs/administration.md", name));
        assert!(printed.contains("orders reader"), "{name}: {printed}");
        assert_eq!(printed.contains("write:orders"), name == "clients", "{name}: {printed}");
    }
}

#[test]
fn the_walk_of_an_administrator_with_lost_credentials_works() {
    let folder = Running::start().stop();
    let file = folder.path().join("data/admin.json");
    let lost = fs::read_to_string(&file).unwrap();
    let printed = paste(folder.path(), &walk("docs/administration.md", "reset"));
    assert!(printed.contains("its new secret is in"), "{printed}");
    assert_ne!(fs::read_to_string(&file).unwrap(), lost);
}

#[test]
fn the_walk_of_revocation_works() {
    let running = Running::start();
    let walks = walk("README.md", "secret") + &walk("docs/revocation.md", "revoke");
    let printed = running.paste(&walks);
    assert!(printed.contains(r#"{"active":false}"#), "{printed}");
    assert!(printed.contains("revoked the tokens of the client"), "{printed}");
}

#[test]
fn the_walk_of_signing_keys_works() {
    let printed = Running::start().paste(&walk("docs/signing-keys.md", "keys"));
    assert!(printed.contains("active"), "{printed}");
    assert!(printed.contains("is retired"), "{printed}");
}

#[test]
fn the_walk_of_audit_records_works() {
    let running = Running::start();
    running.paste(&walk("docs/quickstart.md", "grant"));
    let printed = running.paste(&walk("docs/audit-and-webhook.md", "audit"));
    assert!(printed.contains("client.created"), "{printed}");
}

#[test]
fn the_walk_of_probes_works() {
    let printed = Running::start().paste(&walk("docs/deployment.md", "probes"));
    assert!(!printed.is_empty());
}

#[test]
fn the_walk_of_settings_works() {
    let printed = paste(folder().path(), &walk("docs/settings.md", "config"));
    assert!(printed.contains("token_lifetime = 36000"), "{printed}");
}

#[test]
fn the_walks_of_backup_and_restore_work() {
    let page = "docs/operations.md";
    let running = Running::start();
    running.paste(&(walk("README.md", "secret") + &walk(page, "check") + &walk(page, "backup")));
    let folder = running.stop();
    paste(folder.path(), &walk(page, "restore"));

    let printed = Running::start_in(folder, &[]).paste(&walk(page, "restored"));
    assert!(printed.contains("revoked all tokens"), "{printed}");
}

#[actix_web::test]
async fn the_walk_to_a_database_works() {
    let folder = Running::start().stop();
    for kind in [Kind::MongoDb, Kind::Nx27017] {
        let Some(database) = kind.shared().await else { continue };
        let url = format!("'{}'", database.fresh_database());
        let script = walk("docs/mongodb.md", "copy").replace(DATABASE, &url);
        paste(folder.path(), &script);
        let check = format!("latchkey store check --json --store {url}");
        let found: Value = serde_json::from_str(&paste(folder.path(), &check)).unwrap();
        assert_eq!(found["clients"], 1, "{found}");
    }
}

#[test]
fn the_walk_of_a_migration_works() {
    let running = Running::start();
    let printed = running.paste(&walk("docs/migration.md", "import"));
    assert!(printed.matches("imported_with_new_secret").count() == 2, "{printed}");
    let secrets = fs::read_to_string(running.folder.path().join("new-secrets.jsonl")).unwrap();
    assert!(secrets.contains(r#""client_secret":"lk_"#));
}

#[test]
fn the_walk_of_a_policy_works() {
    let printed = paste(folder().path(), &walk("docs/gateways/policy.md", "policy"));
    assert!(printed.contains("the policy is good: paths 3, rules 4"), "{printed}");
}

#[test]
fn the_walk_of_a_gateway_works() {
    let running = Running::with(&["--policy-file", "policy.json"]);
    let printed = running.paste(&walk("docs/gateways/asking.md", "gateway"));
    let statuses: Vec<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).collect();
    assert_eq!(statuses, ["200", "403", "401", "200"], "{printed}");
    assert!(printed.contains("x-permissions: read:orders"), "{printed}");
}

#[test]
fn the_walk_of_authzen_works() {
    let running = Running::with(&["--policy-file", "policy.json"]);
    let printed = running.paste(&walk("docs/gateways/authzen.md", "authzen"));
    assert!(printed.contains(r#"{"decision":true}"#), "{printed}");
}

#[test]
fn every_walk_is_run_by_a_test() {
    let mut found = BTreeSet::new();
    for (page, text) in manual() {
        for block in blocks(&text) {
            if let Some(name) = block.info.strip_prefix("sh walk=") {
                found.insert((page.clone(), name.to_owned()));
            }
        }
    }
    let known = WALKS.iter().flat_map(|(page, names)| {
        names.iter().map(|name| ((*page).to_owned(), (*name).to_owned()))
    });
    assert_eq!(found, known.collect::<BTreeSet<_>>());
}

/// A block that a reader can paste is a walk, or says that it is none.
#[test]
fn every_block_of_commands_is_a_walk_or_says_that_it_is_not_run() {
    for (page, text) in manual() {
        for Block { info, text } in blocks(&text) {
            let language = info.split(' ').next().unwrap();
            let is_shell = ["", "bash", "console", "sh", "shell"].contains(&language);
            let is_said = info == "sh not-run" || info.starts_with("sh walk=");
            assert!(!is_shell || is_said, "{page}: {info}\n{text}");
        }
    }
}

/// What stands before the tables on the page of settings. What comes after it is written by
/// [`the_page_of_settings_is_written_from_the_definitions`].
const WRITTEN: &str = "the_page_of_settings -->\n";

/// With `UPDATE=1` in the environment it writes the page instead of complaining.
#[test]
fn the_page_of_settings_is_written_from_the_definitions() {
    let page = read("docs/settings.md");
    let (by_hand, _) = page.split_once(WRITTEN).unwrap();
    let expected = format!("{by_hand}{WRITTEN}{}", tables());
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(root.join("docs/settings.md"), expected).unwrap();
        return;
    }
    assert_eq!(page, expected, "run: UPDATE=1 cargo test --test it the_page_of_settings");
}

/// A table for each heading of the help, in the order of the definitions.
fn tables() -> String {
    let command = Settings::augment_args(clap::Command::new("test"));
    let (mut text, mut last) = (String::new(), String::new());
    for argument in command.get_arguments() {
        let heading = argument.get_help_heading().unwrap();
        if heading != last {
            let columns = "| setting | default | what it is |\n|---|---|---|\n";
            text.extend(["\n## ", heading, "\n\n", columns]);
            heading.clone_into(&mut last);
        }
        text += &row(argument);
    }
    text
}

fn row(argument: &Arg) -> String {
    let id = argument.get_id();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let (what, told) = help.split_once(" [default: ").unwrap_or((&help, ""));
    let values = argument.get_default_values().iter().map(|value| value.to_str().unwrap());
    let values = values.collect::<Vec<_>>().join(",");
    let default = match told.strip_suffix(']') {
        Some(told) => told.to_owned(),
        None if values.is_empty() => "–".to_owned(),
        None => format!("`{values}`"),
    };
    let what = format!("{}{}", as_settings(what), choices(what, &argument.get_possible_values()));
    format!("| `{id}` | {default} | {} |\n", what.replace('|', "\\|"))
}

/// Flags by the names of their settings: `--tls-key` is `tls_key`.
fn as_settings(help: &str) -> String {
    let words = help.split(' ').map(|word| match word.strip_prefix("--") {
        Some(flag) => {
            let name = flag.trim_end_matches([',', ';', '.']);
            format!("`{}`{}", name.replace('-', "_"), &flag[name.len()..])
        }
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What may be chosen, unless the help has said it.
fn choices(help: &str, values: &[PossibleValue]) -> String {
    let is_said = values.iter().all(|value| help.contains(value.get_name()));
    let described: Vec<String> = values
        .iter()
        .filter_map(|value| Some(format!("`{}` ({})", value.get_name(), value.get_help()?)))
        .collect();
    if is_said || described.is_empty() {
        String::new()
    } else {
        format!(": {}", described.join(", "))
    }
}
