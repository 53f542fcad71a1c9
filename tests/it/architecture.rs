//! Which module may know which: read from the source, so that an arrow that turns round is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each module at the top, the modules of ours that it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("random", &[]),
    ("domain", &["random"]),
    ("files", &[]),
    ("hashing", &["domain", "random"]),
    // Subjects.
    ("audit", &["domain", "random"]),
    ("revocation", &["audit", "domain"]),
    ("oauth", &["audit", "domain", "hashing", "random", "revocation"]),
    ("clients", &["audit", "domain", "hashing", "oauth", "random", "revocation"]),
    ("signing", &["audit", "clients", "domain", "random", "revocation"]),
    ("policy", &["domain", "oauth"]),
    ("replication", &["audit", "clients", "domain", "oauth", "revocation", "signing"]),
    // Adapters.
    ("jose", &["clients", "domain", "files", "oauth", "revocation", "signing"]),
    ("outbound", &["audit", "domain", "oauth"]),
    (
        "store",
        &["audit", "clients", "domain", "files", "oauth", "replication", "revocation", "signing"],
    ),
    // The wiring.
    ("config", &["audit", "clients", "domain", "policy"]),
    ("telemetry", &["config", "domain"]),
    (
        "assembly",
        &[
            "audit",
            "clients",
            "config",
            "domain",
            "files",
            "hashing",
            "jose",
            "oauth",
            "outbound",
            "policy",
            "random",
            "replication",
            "revocation",
            "signing",
            "store",
        ],
    ),
    // Doors, and what they share. No door names another.
    (
        "web",
        &[
            "assembly",
            "audit",
            "clients",
            "config",
            "domain",
            "oauth",
            "policy",
            "random",
            "telemetry",
        ],
    ),
    ("grpc", &["domain", "oauth", "policy", "telemetry", "web"]),
    (
        "http",
        &[
            "assembly",
            "audit",
            "clients",
            "config",
            "domain",
            "oauth",
            "policy",
            "signing",
            "telemetry",
            "web",
        ],
    ),
    (
        "server",
        &[
            "assembly",
            "audit",
            "clients",
            "config",
            "domain",
            "grpc",
            "http",
            "oauth",
            "revocation",
            "telemetry",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "assembly",
            "clients",
            "config",
            "domain",
            "files",
            "jose",
            "policy",
            "random",
            "server",
            "telemetry",
        ],
    ),
];

/// Crates that only one module may import.
const OWNERS: &[(&str, &[&str])] = &[
    ("jsonwebtoken", &["jose"]),
    ("mongodb", &["store"]),
    ("bson", &["store"]),
    ("rusqlite", &["store"]),
    ("actix_web", &["http", "server", "web"]),
    ("clap", &["cli", "config"]),
    ("humantime", &["config"]),
    ("reqwest", &["cli", "outbound"]),
    ("oxide_auth", &["domain"]),
    ("winnow", &["policy"]),
    ("tonic", &["grpc", "server"]),
    ("tonic_health", &["server"]),
    ("prost", &["grpc"]),
    ("tonic_prost", &["grpc"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with the top module it is in, without comments.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().iter().next().unwrap();
        first.to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    };
    paths.iter().map(|path| (module(path), path.clone(), code(path))).collect()
}

/// The names that follow `prefix` as whole paths, such as `domain` in `crate::domain::id`.
fn named_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let whole = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        (whole && end > 0).then_some(&rest[..end])
    })
}

#[test]
fn modules_name_only_what_is_below_them() {
    for (module, path, code) in files() {
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let (_, allowed) = MAY_NAME
            .iter()
            .find(|(known, _)| *known == module)
            .unwrap_or_else(|| panic!("say in MAY_NAME what the new module `{module}` may name"));
        assert!(!code.contains("crate::{"), "{} groups modules in one `use`", path.display());
        for named in named_after(&code, "crate::") {
            let fine = named == module || allowed.contains(&named);
            assert!(fine, "{} names `{named}`: {module} may not", path.display());
        }
    }
}

#[test]
fn each_backend_has_one_owner() {
    for (module, path, code) in files() {
        for (library, owners) in OWNERS {
            let named =
                code.contains(&format!("{library}::")) || code.contains(&format!("use {library}"));
            let fine = !named || owners.contains(&module.as_str());
            assert!(fine, "{} imports `{library}`: only {owners:?} may", path.display());
        }
    }
}

#[test]
fn the_domain_and_the_decision_are_pure() {
    let impure = ["async ", "tokio", "tracing", "std::fs", "std::net", "std::env", "Instant::now"];
    // Of the policy, these open tokens and read files; the decision does neither.
    let around = |path: &Path| path.ends_with("gatekeeper.rs") || path.ends_with("policy/file.rs");
    let pure =
        |module: &str, path: &Path| module == "domain" || (module == "policy" && !around(path));
    for (_, path, code) in files().into_iter().filter(|(module, path, _)| pure(module, path)) {
        for word in impure {
            assert!(!code.contains(word), "{} has `{word}` in it", path.display());
        }
    }
}

/// The paths that a `use` brings in: its groups taken apart.
fn ungrouped(path: &str) -> Vec<String> {
    let Some((before, group)) = path.split_once('{') else { return vec![path.to_owned()] };
    // A text may say `use` too.
    let Some(group) = group.strip_suffix('}') else { return Vec::new() };
    let mut depth = 0;
    let separator = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    let members = group.split(separator).filter(|member| !member.is_empty());
    members.flat_map(|member| ungrouped(&format!("{before}{member}"))).collect()
}

/// A module, as the names on the way to it.
type Module = Vec<String>;

/// The source files by their modules, with what each brings in and what it exports of that.
struct Imports {
    files: BTreeMap<Module, Vec<Module>>,
    exports: BTreeMap<(Module, String), Module>,
}

impl Imports {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let module = |path: &Path| -> Module {
            let path = path.strip_prefix(&root).unwrap().with_extension("");
            let names = path.iter().map(|name| name.to_str().unwrap().to_owned());
            names.filter(|name| !["mod", "lib", "main"].contains(&name.as_str())).collect()
        };
        let codes: BTreeMap<Module, String> = files()
            .into_iter()
            .map(|(_, path, code)| {
                (module(&path), code.split("#[cfg(test)]\nmod").next().unwrap().to_owned())
            })
            .collect();
        let mut imports = Self { files: BTreeMap::new(), exports: BTreeMap::new() };
        for (module, code) in &codes {
            let absolute = |path: &str| -> Option<Module> {
                let mut base = module.clone();
                let mut names = path.split("::").peekable();
                match names.next_if(|first| ["crate", "self", "super"].contains(first)) {
                    Some("crate") => base.clear(),
                    Some("super") => {
                        base.pop();
                        while names.next_if_eq(&"super").is_some() {
                            base.pop();
                        }
                    }
                    // A module below, or another crate.
                    _ => {
                        let below = [&base[..], &[(*names.peek()?).to_owned()]].concat();
                        codes.contains_key(&below).then_some(())?;
                    }
                }
                Some(base.into_iter().chain(names.map(str::to_owned)).collect())
            };
            let mut named = Vec::new();
            for statement in code.split(';') {
                let Some((before, path)) = statement.rsplit_once("use ") else { continue };
                let path: String = path.replace(" as ", "@").split_whitespace().collect();
                for path in ungrouped(&path) {
                    let path = path.split('@').next().unwrap();
                    let Some(path) = absolute(path) else { continue };
                    // A function may have the name of a module: then the code does not look into it.
                    let last = path.last().unwrap().clone();
                    if codes.contains_key(&path) && !code.contains(&format!("{last}::")) {
                        continue;
                    }
                    if before
                        .trim_end()
                        .lines()
                        .next_back()
                        .is_some_and(|line| line.contains("pub"))
                    {
                        imports.exports.insert((module.clone(), last), path.clone());
                    }
                    named.push(path);
                }
            }
            imports.files.insert(module.clone(), named);
        }
        imports
    }

    /// The file in which what this path names is written.
    fn home(&self, path: &[String]) -> Option<Module> {
        let length =
            (1..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let exported =
            rest.first().and_then(|name| self.exports.get(&(module.to_vec(), name.clone())));
        match exported {
            Some(elsewhere) if elsewhere[..] != *path => {
                self.home(&[&elsewhere[..], &rest[1..]].concat())
            }
            _ => Some(module.to_vec()),
        }
    }
}

/// A module and one inside it are written together, and may name each other.
#[test]
fn no_files_name_each_other_in_a_circle() {
    let imports = Imports::read();
    let mut below: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, named) in &imports.files {
        let homes = named.iter().filter_map(|path| imports.home(path));
        let homes = homes.filter(|home| !home.starts_with(module) && !module.starts_with(home));
        below.insert(module.clone(), homes.collect());
    }
    assert!(
        below.values().map(BTreeSet::len).sum::<usize>() > below.len(),
        "imports are not found"
    );
    // Files that name nothing of what is left are in no circle.
    while let Some(module) = below.iter().find_map(|(module, named)| {
        let is_free = named.iter().all(|named| !below.contains_key(named));
        is_free.then(|| module.clone())
    }) {
        below.remove(&module);
    }
    // Nor are files that nothing of what is left names.
    while let Some(module) =
        below.keys().find(|module| !below.values().any(|named| named.contains(*module))).cloned()
    {
        below.remove(&module);
    }
    let left: Vec<String> = below.keys().map(|module| module.join("::")).collect();
    assert!(left.is_empty(), "these name each other in circles: {}", left.join(", "));
}
