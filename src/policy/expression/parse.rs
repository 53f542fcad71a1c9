//! From text to [`Condition`].
//!
//! What comes next is always known from what stands there, so nothing is tried twice, and the
//! first thing that does not fit is where the error points.

use winnow::Parser;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, eof, opt, peek, separated};
use winnow::error::ParserError;
use winnow::stream::{Stateful, Stream};
use winnow::token::{any, one_of};

use super::malformed::MalformedExpression;
use super::tokens::{
    Error, Expected, Input, Parsed, TERM, expected, keyword_in, list, listed, name, quoted,
    quoted_within, symbol,
};
use super::{Condition, List, Text};

/// Longer expressions are refused.
const LONGEST: usize = 8192;
/// Deeper parentheses are refused: reading and evaluating them takes room on the stack.
const DEEPEST: usize = 32;

/// What stands beside `==`, `!=` or `!`.
enum Operand {
    Condition(Condition),
    Text(Text),
    Literal(Box<str>),
}

pub(super) fn parse(text: &str) -> Result<Condition, MalformedExpression> {
    if text.len() > LONGEST {
        let expected = format!("at most {LONGEST} bytes").into();
        return Err(MalformedExpression { text: text.into(), at: 0, expected });
    }
    let mut input = Stateful { input: text, state: 0 };
    whole(&mut input).map_err(|error| {
        let expected = error.into_inner().unwrap_or_else(|_| Expected::from_input(&input));
        let at = text.len().saturating_sub(expected.left);
        MalformedExpression { text: text.into(), at, expected: expected.what }
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Condition> {
    let condition = disjunction(input)?;
    match opt(eof::<_, Error>).parse_next(input)? {
        Some(_) => Ok(condition),
        None => Err(expected(input, "`&&`, `||`, one `==` or `!=`, or the end")),
    }
}

fn disjunction(input: &mut Input<'_>) -> Parsed<Condition> {
    let parts: Vec<_> = separated(1.., conjunction, "||").parse_next(input)?;
    Ok(alone_or(parts, Condition::Any))
}

fn conjunction(input: &mut Input<'_>) -> Parsed<Condition> {
    let parts: Vec<_> = separated(1.., comparison, "&&").parse_next(input)?;
    Ok(alone_or(parts, Condition::All))
}

fn alone_or(mut parts: Vec<Condition>, join: fn(Box<[Condition]>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts.into())
        }
    }
}

fn comparison(input: &mut Input<'_>) -> Parsed<Condition> {
    let left = operand(input)?;
    let Some(operator) = opt(alt(("==", "!="))).parse_next(input)? else {
        return match left {
            Operand::Condition(condition) => Ok(condition),
            Operand::Text(_) => Err(expected(input, "`==` or `!=` and a text in quotes")),
            Operand::Literal(_) => Err(expected(input, "`in` and a list, `==` or `!=`")),
        };
    };
    let equal = operator == "==";
    multispace0.parse_next(input)?;
    let start = input.checkpoint();
    match (left, operand(input)?) {
        (Operand::Text(text), Operand::Literal(value))
        | (Operand::Literal(value), Operand::Text(text)) => {
            Ok(if equal { Condition::Is(text, value) } else { Condition::IsNot(text, value) })
        }
        (Operand::Condition(left), Operand::Condition(right)) => {
            let sides = Box::new([left, right]);
            Ok(if equal { Condition::Same(sides) } else { Condition::Differ(sides) })
        }
        (left, _) => {
            input.reset(&start);
            Err(expected(input, left.counterpart()))
        }
    }
}

impl Operand {
    /// What this can be compared with.
    fn counterpart(&self) -> &'static str {
        match self {
            Self::Condition(_) => "something that is true or false",
            Self::Text(_) => "a text in quotes",
            Self::Literal(_) => "`clientType` or `clientId`",
        }
    }
}

/// An operand with the space around it.
fn operand(input: &mut Input<'_>) -> Parsed<Operand> {
    multispace0.parse_next(input)?;
    let operand = match peek(opt(any::<_, Error>)).parse_next(input)? {
        Some('(') => parentheses(input).map(Operand::Condition),
        Some('!') => negation(input).map(Operand::Condition),
        Some('[') => {
            let names = listed(input)?;
            membership(names, input).map(Operand::Condition)
        }
        Some('"' | '\'') => literal(input),
        Some(_) | None => word(input),
    }?;
    multispace0.parse_next(input)?;
    Ok(operand)
}

fn deeper<T>(input: &mut Input<'_>, inner: impl Fn(&mut Input<'_>) -> Parsed<T>) -> Parsed<T> {
    if input.state == DEEPEST {
        return Err(expected(input, format!("at most {DEEPEST} of `(` and `!` within each other")));
    }
    input.state += 1;
    let parsed = inner(input)?;
    input.state -= 1;
    Ok(parsed)
}

fn parentheses(input: &mut Input<'_>) -> Parsed<Condition> {
    deeper(input, |input| {
        '('.parse_next(input)?;
        let inner = disjunction(input)?;
        symbol(')', "`&&`, `||`, one `==` or `!=`, or `)`", input)?;
        Ok(inner)
    })
}

fn negation(input: &mut Input<'_>) -> Parsed<Condition> {
    deeper(input, |input| {
        '!'.parse_next(input)?;
        multispace0.parse_next(input)?;
        let start = input.checkpoint();
        if let Operand::Condition(inner) = operand(input)? {
            return Ok(Condition::Not(Box::new(inner)));
        }
        input.reset(&start);
        Err(expected(input, "something that is true or false; put a comparison into parentheses"))
    })
}

/// A text in quotes: one side of a comparison, or what is looked for in a list.
fn literal(input: &mut Input<'_>) -> Parsed<Operand> {
    let text = quoted(input)?;
    match opt(keyword_in).parse_next(input)? {
        None => Ok(Operand::Literal(text)),
        Some(()) => {
            let list = list(input)?;
            Ok(Operand::Condition(Condition::Includes(list, Box::new([text]))))
        }
    }
}

fn word(input: &mut Input<'_>) -> Parsed<Operand> {
    let start = input.checkpoint();
    let word = opt(name).parse_next(input)?.unwrap_or_default();
    if let Some(list) = List::ALL.into_iter().find(|list| list.as_str() == word) {
        return member(list, input).map(Operand::Condition);
    }
    if let Some(text) = Text::ALL.into_iter().find(|text| text.as_str() == word) {
        return Ok(Operand::Text(text));
    }
    match word {
        "true" => Ok(Operand::Condition(Condition::Constant(true))),
        "false" => Ok(Operand::Condition(Condition::Constant(false))),
        "isBackoffice" => Ok(Operand::Condition(Condition::IsBackoffice)),
        _ if !word.is_empty() && opt(keyword_in).parse_next(input)?.is_some() => {
            let list = list(input)?;
            Ok(Operand::Condition(Condition::Includes(list, Box::new([word.into()]))))
        }
        _ => {
            input.reset(&start);
            Err(expected(input, TERM))
        }
    }
}

/// What follows the name of a list: `.x` or `["x"]`.
fn member(list: List, input: &mut Input<'_>) -> Parsed<Condition> {
    let name: Box<str> = match opt(one_of(['.', '['])).parse_next(input)? {
        Some('.') => match opt(name).parse_next(input)? {
            Some(name) => name.into(),
            None => return Err(expected(input, "a name of letters, digits, `_` and `-`")),
        },
        Some(_) => {
            let name = quoted_within(input)?;
            symbol(']', "`]`", input)?;
            name
        }
        None => return Err(expected(input, "`.` and a name, or `[\"…\"]`")),
    };
    Ok(Condition::Includes(list, Box::new([name])))
}

fn membership(names: Vec<Box<str>>, input: &mut Input<'_>) -> Parsed<Condition> {
    match opt(keyword_in).parse_next(input)? {
        Some(()) => Ok(Condition::Includes(list(input)?, names.into())),
        None => Err(expected(input, "`in` and a list")),
    }
}
