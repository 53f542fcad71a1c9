//! The smallest pieces of an expression, and what is wrong where one is missing.

use std::borrow::Cow;

use winnow::Parser;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, opt, preceded, repeat, separated};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{Stateful, Stream};
use winnow::token::{none_of, one_of, take_while};

use super::List;

pub(super) const TERM: &str = "`true`, `false`, `groups.x`, `\"x\" in groups`, `permissions[\"x\"]`, \
    `[\"a\", \"b\"] in permissions`, `clientType == \"x\"`, `isBackoffice`, `!` or `(`";

/// The text, with how deep we are in it.
pub(super) type Input<'a> = Stateful<&'a str, usize>;

/// What was expected, and how much text is left from there on.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) left: usize,
    pub(super) what: Cow<'static, str>,
}

pub(super) type Error = ErrMode<Expected>;
pub(super) type Parsed<T> = Result<T, Error>;

/// `["a", "b"]`
pub(super) fn listed(input: &mut Input<'_>) -> Parsed<Vec<Box<str>>> {
    '['.parse_next(input)?;
    let names = separated(1.., quoted_within, ',').parse_next(input)?;
    symbol(']', "`,` or `]`", input)?;
    Ok(names)
}

pub(super) fn list(input: &mut Input<'_>) -> Parsed<List> {
    multispace0.parse_next(input)?;
    let start = input.checkpoint();
    let word = opt(name).parse_next(input)?.unwrap_or_default();
    List::ALL.into_iter().find(|list| list.as_str() == word).ok_or_else(|| {
        input.reset(&start);
        expected(input, "`groups`, `permissions`, `audience` or `scope`")
    })
}

/// A text in quotes with the space around it.
pub(super) fn quoted_within(input: &mut Input<'_>) -> Parsed<Box<str>> {
    multispace0.parse_next(input)?;
    let text = quoted(input)?;
    multispace0.parse_next(input)?;
    Ok(text)
}

pub(super) fn quoted(input: &mut Input<'_>) -> Parsed<Box<str>> {
    let Some(quote) = opt(one_of(['"', '\''])).parse_next(input)? else {
        return Err(expected(input, "a text in quotes"));
    };
    let plain = none_of([quote, '\\']);
    let escaped = preceded('\\', one_of(['"', '\'', '\\']));
    let text: String = repeat(0.., alt((plain, escaped))).parse_next(input)?;
    symbol(quote, "the closing quote, or `\\` before a quote or `\\`", input)?;
    if text.is_empty() {
        return Err(expected(input, "something between the quotes"));
    }
    Ok(text.into())
}

pub(super) fn keyword_in(input: &mut Input<'_>) -> Parsed<()> {
    preceded(multispace0, name).verify(|word: &str| word == "in").void().parse_next(input)
}

pub(super) fn name<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    take_while(1.., is_in_name).parse_next(input)
}

pub(super) fn symbol(wanted: char, what: &'static str, input: &mut Input<'_>) -> Parsed<()> {
    match opt(wanted).parse_next(input)? {
        Some(_) => Ok(()),
        None => Err(expected(input, what)),
    }
}

/// True if the text can stand behind the point of `groups.x`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_in_name)
}

pub(super) fn is_in_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// Ends the parsing: nothing else is tried.
pub(super) fn expected(input: &Input<'_>, what: impl Into<Cow<'static, str>>) -> Error {
    ErrMode::Cut(Expected { left: input.eof_offset(), what: what.into() })
}

impl<I: Stream> ParserError<I> for Expected {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        Self { left: input.eof_offset(), what: Cow::Borrowed(TERM) }
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}
