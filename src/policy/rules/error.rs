//! What is said of a policy that cannot be used.

use std::str::Utf8Error;

use serde_saphyr::{MessageFormatter, UserMessageFormatter};

/// A policy that cannot be used: where, and what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct PolicyError {
    /// From 1; 0 if it is not known.
    pub line: u64,
    /// From 1: where the faulty value, or what it belongs to, stands or ends.
    pub column: u64,
    /// What is wrong, and what was expected. An expression is shown on lines of its own.
    pub problem: String,
}

/// What was expected, where `serde_json` only says what is wrong.
const EXPECTED: [(&str, &str); 11] = [
    ("EOF while parsing a string", "the closing quote"),
    ("EOF while parsing a value", "a value"),
    ("EOF while parsing an object", "the rest of the object"),
    ("control character (\\u0000-\\u001F) found while parsing a string", "the closing quote"),
    ("invalid escape", "one such as `\\\"`"),
    ("invalid number", "no number here"),
    ("key must be a string", "a name in quotes"),
    ("lone leading surrogate in hex escape", "the other half of the pair"),
    ("trailing characters", "nothing behind the policy"),
    ("trailing comma", "no comma, or another name"),
    ("unexpected end of hex escape", "the other half of the pair"),
];

impl PolicyError {
    /// What `serde_json` says of this text.
    pub(super) fn of_json(error: &serde_json::Error, text: &str) -> Self {
        let (line, bytes) = (error.line(), error.column());
        let problem = error.to_string();
        let place = format!(" at line {line} column {bytes}");
        let problem = problem.strip_suffix(&place).unwrap_or(&problem);
        let expected = EXPECTED.iter().find(|(wrong, _)| *wrong == problem);
        let problem = match expected {
            Some((wrong, expected)) => format!("{wrong}: expected {expected}"),
            None => problem.to_owned(),
        };
        let before = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
        let column = before.char_indices().take_while(|(at, _)| *at < bytes).count();
        // Column 0 is what stands before the first character of a line.
        Self { line: line as u64, column: column.max(1) as u64, problem }
    }

    pub(super) fn of_yaml(error: &serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let place = error.location();
        let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
        let problem = UserMessageFormatter.format_message(error).into_owned();
        Self { line, column, problem }
    }

    /// The first byte that is no UTF-8.
    pub(super) fn of_bytes(error: Utf8Error, content: &[u8]) -> Self {
        let (before, rest) = content.split_at_checked(error.valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let (line, left) = before.split('\n').enumerate().last().unwrap_or_default();
        let byte = rest.first().copied().unwrap_or_default();
        Self {
            line: line as u64 + 1,
            column: left.chars().count() as u64 + 1,
            problem: format!("the byte {byte:#04x} is not UTF-8: expected a text in UTF-8"),
        }
    }
}
