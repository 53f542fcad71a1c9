//! What SECURITY.md promises is shown by something: every test and file that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

const SECURITY: &str = include_str!("../../SECURITY.md");

/// The promises of the table: what could go wrong, and what shows that it does not.
fn promises() -> Vec<(&'static str, &'static str)> {
    let section = SECURITY.split("\n## What we promise\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        (cells[0], cells[2])
    })
    .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the test of this path may be: in `a/b.rs` or in a file of `a/b/`, for `a::b::name`.
fn files_of(modules: &str) -> Vec<PathBuf> {
    let modules = modules.replace("::", "/");
    let place = match modules.strip_prefix("it/") {
        Some(file) => root().join("tests/it").join(file),
        None => root().join("src").join(modules),
    };
    let folder = fs::read_dir(&place).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folder.collect();
    files.push(place.with_extension("rs"));
    files.retain(|file| file.is_file());
    files
}

/// Whether the name stands in the code: of a function, or in the list that a macro makes tests of.
fn is_named_in(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap();
    let code = text.lines().filter_map(|line| line.split("//").next());
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .any(|word| word == name)
}

fn is_there(shown_by: &str) -> bool {
    match shown_by.rsplit_once("::") {
        Some((modules, test)) => files_of(modules).iter().any(|file| is_named_in(file, test)),
        // Several words are a command, such as `kill -9`; one is a file.
        None => shown_by.contains(' ') || root().join(shown_by).exists(),
    }
}

/// The jitter of the CPU takes 100 to 200 ms, at every start; nothing tells at runtime.
#[test]
fn a_build_gathers_no_jitter_of_the_cpu() {
    const SETTING: &str = "AWS_LC_SYS_NO_JITTER_ENTROPY";
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    assert_eq!(config["env"][SETTING].as_str(), Some("1"));
    let section = SECURITY.split("\n## Randomness\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    assert!(section.contains(SETTING) && section.contains("jitter"), "it says why");
}

#[test]
fn every_promise_names_what_shows_it() {
    let promises = promises();
    assert!(promises.len() > 15, "the table was not found: {promises:?}");
    for (promise, shown) in promises {
        assert!(quoted(shown).next().is_some() || shown == "it does not compile", "{promise}");
        for shown_by in quoted(shown) {
            assert!(is_there(shown_by), "`{shown_by}` is not there; it shows: {promise}");
        }
    }
}

#[test]
fn a_name_that_is_not_there_is_noticed() {
    for (why, shown_by, there) in [
        ("a test", "it::security::every_promise_names_what_shows_it", true),
        ("a test of a macro", "it::store_contract::an_assertion_is_used_once", true),
        (
            "a test beside the code",
            "hashing::a_queue_that_is_too_long_refuses_and_empties_again",
            true,
        ),
        ("in a file mod.rs", "config::passwords_of_a_store_url_are_not_shown", true),
        ("a file", ".ci/run", true),
        ("another test", "it::main_job::every_promise_names_what_shows_it", false),
        ("half a name", "it::main_job::a_client_with_a_key", false),
        ("no such module", "it::nowhere::every_promise_names_what_shows_it", false),
        ("no such file", ".ci/walk", false),
    ] {
        assert_eq!(is_there(shown_by), there, "{why}: {shown_by}");
    }
}
