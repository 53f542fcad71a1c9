//! An expression as text, in one spelling.

use std::fmt::{self, Write};

use super::tokens::is_name;
use super::{Condition, List};

/// How tightly a condition holds together; what holds less tightly is put into parentheses.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Strength {
    Any,
    All,
    Comparison,
    Term,
}

impl Condition {
    fn strength(&self) -> Strength {
        match self {
            Self::Any(_) => Strength::Any,
            Self::All(_) => Strength::All,
            Self::Is(..) | Self::IsNot(..) | Self::Same(_) | Self::Differ(_) => {
                Strength::Comparison
            }
            Self::Constant(_) | Self::IsBackoffice | Self::Includes(..) | Self::Not(_) => {
                Strength::Term
            }
        }
    }

    /// Writes a part of something as strong as `around`.
    fn write_within(&self, around: Strength, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.strength() > around { write!(f, "{self}") } else { write!(f, "({self})") }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::IsBackoffice => f.write_str("isBackoffice"),
            Self::Includes(list, names) => includes(*list, names, f),
            Self::Is(text, value) => write!(f, "{} == {}", text.as_str(), Quoted(value)),
            Self::IsNot(text, value) => write!(f, "{} != {}", text.as_str(), Quoted(value)),
            Self::Not(inner) => {
                f.write_char('!')?;
                inner.write_within(Strength::Comparison, f)
            }
            Self::Same(sides) => joined(&**sides, " == ", Strength::Comparison, f),
            Self::Differ(sides) => joined(&**sides, " != ", Strength::Comparison, f),
            Self::All(parts) => joined(parts, " && ", Strength::All, f),
            Self::Any(parts) => joined(parts, " || ", Strength::Any, f),
        }
    }
}

fn includes(list: List, names: &[Box<str>], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let list = list.as_str();
    match names {
        [name] if is_name(name) => write!(f, "{list}.{name}"),
        [name] => write!(f, "{list}[{}]", Quoted(name)),
        names => {
            for (index, name) in names.iter().enumerate() {
                write!(f, "{}{}", if index == 0 { "[" } else { ", " }, Quoted(name))?;
            }
            write!(f, "] in {list}")
        }
    }
}

fn joined(
    parts: &[Condition],
    operator: &str,
    strength: Strength,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(operator)?;
        }
        part.write_within(strength, f)?;
    }
    Ok(())
}

/// A text in quotes, as the parser reads it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}
