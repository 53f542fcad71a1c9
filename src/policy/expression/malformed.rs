//! What is said of a text that is no expression.

use std::borrow::Cow;
use std::fmt;

/// A text that is no expression: what was expected, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MalformedExpression {
    pub(super) text: Box<str>,
    /// In bytes.
    pub(super) at: usize,
    pub(super) expected: Cow<'static, str>,
}

impl MalformedExpression {
    /// The character at which it goes wrong, counted from 1.
    #[must_use]
    pub fn character(&self) -> usize {
        self.before().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }
}

impl std::error::Error for MalformedExpression {}

impl fmt::Display for MalformedExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.before().rfind('\n').map_or(0, |end| end + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let indent = self.before().get(start..).unwrap_or_default().chars().count();
        writeln!(f, "the expression goes wrong at character {}", self.character())?;
        writeln!(f, "  {}", line.replace(char::is_control, " "))?;
        writeln!(f, "  {:indent$}^", "")?;
        write!(f, "expected {}", self.expected)
    }
}
