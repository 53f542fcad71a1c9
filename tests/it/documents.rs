//! The documents of the project: what they name is there, and what they link to can be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of documents, each with all that is below it.
const FOLDERS: [&str; 3] = ["deploy", "docs", "keys"];
/// The documents at the root.
const AT_THE_ROOT: [&str; 5] =
    ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
/// How a path in backticks begins. (`data/` and `keys/` are folders of a running server, too.)
const PATHS: [&str; 8] =
    [".ci/", ".github/", "benches/", "deploy/", "docs/", "fuzz/", "src/", "tests/"];
/// Documents whose paths are behind the code. One that has caught up is to be taken out.
const BEHIND: &[&str] = &[];
/// A document that is to be read in one go has no more lines.
const SHORT: usize = 150;

/// The path of a document from the root, and its text.
type Document = (String, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a document.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document, in the order of their paths.
pub fn all() -> Vec<Document> {
    let mut paths: BTreeSet<String> = AT_THE_ROOT.map(str::to_owned).into();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut paths);
    }
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// What a user reads: the README and the manual.
pub fn manual() -> Vec<Document> {
    let mut documents = all();
    documents.retain(|(path, _)| path == "README.md" || path.starts_with("docs/"));
    documents
}

fn collect(folder: &Path, paths: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// A fenced block of code: what stands behind the fence, and what is in the block.
pub struct Block {
    pub info: String,
    pub text: String,
}

/// The fenced blocks of a document, and its lines outside of them.
fn parted(text: &str) -> (Vec<Block>, Vec<&str>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { info: info.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => prose.push(line),
        }
    }
    assert!(open.is_none(), "a block of code has no end");
    (blocks, prose)
}

/// The fenced blocks of a document.
pub fn blocks(text: &str) -> Vec<Block> {
    parted(text).0
}

/// What stands in backticks on a line, and the rest of the line.
fn spans(line: &str) -> (Vec<&str>, String) {
    let parts: Vec<&str> = line.split('`').collect();
    let of = |first: usize| parts.iter().skip(first).step_by(2).copied();
    (of(1).collect(), of(0).collect::<Vec<_>>().join("`"))
}

/// The targets of the links on a line.
fn targets(line: &str) -> Vec<String> {
    let (_, rest) = spans(line);
    let targets = rest.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    targets.map(str::to_owned).collect()
}

/// What a heading is called in a link, on GitHub and in mdBook.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || "_- ".contains(*c);
    heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn anchors(text: &str) -> Vec<String> {
    let (_, prose) = parted(text);
    let headings = prose.into_iter().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// Where a relative link of a document leads to, without `..`.
fn resolved(document: &str, target: &str) -> PathBuf {
    let mut path = Path::new(document).parent().unwrap().to_owned();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => assert!(path.pop(), "{document}: {target} leads out of the project"),
            name => path.push(name),
        }
    }
    path
}

/// What is wrong with a link, if anything is.
fn fault(document: &str, target: &str) -> Option<&'static str> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { document.into() } else { resolved(document, file) };
    if !root().join(&path).exists() {
        return Some("no such file");
    }
    let there = || anchors(&read(path.to_str().unwrap())).iter().any(|it| it == heading);
    (!heading.is_empty() && !there()).then_some("there is no such heading")
}

/// The path that a word names: the first of it, up to what no path of ours holds.
fn path_in(word: &str) -> Option<&str> {
    let path = word.split([':', '#', '|']).next()?;
    let is_pattern = path.contains(['*', '…', '<', '{', '$']);
    (PATHS.iter().any(|folder| path.starts_with(folder)) && !is_pattern).then_some(path)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for (document, text) in all() {
        let (_, prose) = parted(&text);
        for target in prose.iter().flat_map(|line| targets(line)) {
            if !target.contains("://") {
                assert_eq!(fault(&document, &target), None, "{document}: {target}");
            }
        }
    }
}

#[test]
fn every_path_in_backticks_is_there() {
    for (document, text) in all() {
        let (_, prose) = parted(&text);
        let spans = prose.iter().flat_map(|line| spans(line).0);
        let paths = spans.flat_map(str::split_whitespace).filter_map(path_in);
        let missing: Vec<&str> = paths.filter(|path| !root().join(path).exists()).collect();
        let is_behind = BEHIND.contains(&&*document);
        assert_eq!(missing.is_empty(), !is_behind, "{document}: {missing:?}");
    }
}

#[test]
fn what_is_not_there_is_noticed() {
    for (why, document, target, missing) in [
        ("a page", "README.md", "docs/quickstart.md", None),
        ("a folder", "docs/deployment.md", "../deploy", None),
        ("a heading", "docs/quickstart.md", "settings.md#clients", None),
        ("a heading of its own", "docs/clients.md", "#keys-and-algorithms", None),
        ("a heading in a folder above", "docs/dev/testing.md", "../settings.md#clients", None),
        ("no page", "README.md", "docs/slowstart.md", Some("no such file")),
        ("not from here", "docs/clients.md", "docs/quickstart.md", Some("no such file")),
        ("no heading", "README.md", "docs/clients.md#kitchen", Some("there is no such heading")),
    ] {
        assert_eq!(fault(document, target), missing, "{why}");
    }
    for (why, word, path) in [
        ("a file", "src/main.rs", Some("src/main.rs")),
        ("a line of it", "src/main.rs:12", Some("src/main.rs")),
        ("a pattern", "docs/**/*.md", None),
        ("a folder of the server", "keys/new.pem", None),
        ("another word", "resources/tests", None),
    ] {
        assert_eq!(path_in(word), path, "{why}");
    }
    assert_eq!(targets("[a](b.md) `[c](d.md)` and [`e`](f.md#g)"), ["b.md", "f.md#g"]);
    assert_eq!(
        anchor("From Mia-Platform's `clients`, and more"),
        "from-mia-platforms-clients-and-more"
    );
}

#[test]
fn every_page_of_the_manual_is_in_its_summary() {
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<String> = summary.lines().flat_map(targets).collect();
    let pages =
        manual().into_iter().filter_map(|(path, _)| Some(path.strip_prefix("docs/")?.to_owned()));
    let pages: BTreeSet<String> = pages.filter(|page| page != "SUMMARY.md").collect();
    assert_eq!(listed, pages);
}

#[test]
fn the_readme_and_the_architecture_are_short() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        let lines = read(document).lines().count();
        assert!(lines <= SHORT, "{document} has {lines} lines");
    }
}

#[test]
fn the_speed_in_the_readme_is_that_of_the_manual() {
    let rows = |document: &str, heading: &str| {
        let text = read(document);
        let section = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        section.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect::<Vec<_>>()
    };
    let shown = rows("README.md", "\n## Speed\n");
    assert!(shown.len() > 3, "{shown:?}");
    assert_eq!(shown, rows("docs/performance.md", "\n## Requests a second\n"));
}
