//! Text of strangers, made fit for a log, an answer or a terminal: the only place that escapes and
//! cuts it.

use std::borrow::Cow;
use std::fmt::Write;

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

/// How many characters of a stranger's text are quoted.
pub const LONGEST: usize = 64;
/// How many characters a message has at most, whatever it quotes.
const LONGEST_MESSAGE: usize = 512;

/// Whether a character is not shown itself but changes how others are: a control of C0 or C1, a
/// separator of lines or paragraphs, a mark of the direction of writing.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a name shows something, and nothing but itself: people tell things apart by it.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    // The empty pattern of Braille is a letter, and blank.
    let is_seen = |c: char| !c.is_whitespace() && !ignorable.contains(c) && c != '\u{2800}';
    !text.chars().any(is_deceptive) && text.chars().any(is_seen)
}

/// The first characters of a text that a stranger sent, printable: it must not fill the log.
#[must_use]
pub fn begun(text: &str, most: usize) -> String {
    ascii(&text.chars().take(most).collect::<String>())
}

/// The whole text on one line; deceptive characters are escaped as in JSON, such as `\u202e`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, is_deceptive)
}

/// The same for text of several lines, whose line feeds stay. Serialized JSON keeps its meaning.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escaped_but(text, '\n')
}

/// The same for text in which this character has its meaning.
#[must_use]
pub fn escaped_but(text: &str, kept: char) -> Cow<'_, str> {
    escape(text, |c| c != kept && is_deceptive(c))
}

/// A message that may quote strangers, between backticks or quotation marks: what it quotes has
/// [`LONGEST`] characters, and the whole has an end.
#[must_use]
pub fn message(text: &str) -> String {
    let mut shown = String::new();
    let mut quoted: Option<(char, usize)> = None;
    for c in text.chars() {
        quoted = match quoted {
            Some((mark, _)) if mark == c => None,
            Some((mark, count)) => Some((mark, count + 1)),
            None => matches!(c, '`' | '"').then_some((c, 0)),
        };
        match quoted {
            Some((_, count)) if count == LONGEST + 1 => shown.push_str("..."),
            Some((_, count)) if count > LONGEST => {}
            _ => shown.push(c),
        }
    }
    if let Some((end, _)) = shown.char_indices().nth(LONGEST_MESSAGE) {
        shown.truncate(end);
        shown.push_str("...");
    }
    escaped(&shown).into_owned()
}

/// The same in the characters that a description may have in OAuth, which a header and a line of the
/// log may have too: [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
#[must_use]
pub fn ascii(text: &str) -> String {
    message(text)
        .chars()
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

/// The first [`LONGEST`] characters, escaped; three dots stand for the rest.
#[must_use]
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => {
            Cow::Owned(escaped(text.get(..end).unwrap_or_default()).into_owned() + "...")
        }
        None => escaped(text),
    }
}

/// What serde says of a value that it does not take. From the first quotation mark to the last it quotes
/// strangers; after that it says what it expected, in words of ours.
#[must_use]
pub fn misfit(error: &str) -> String {
    let (said, ours) = error.rfind(", expected ").map_or((error, ""), |at| error.split_at(at));
    let first = said.char_indices().find(|(_, c)| matches!(c, '`' | '"'));
    let quotation = first.and_then(|(begin, mark)| {
        let (before, rest) = said.split_at(begin + 1);
        let (quoted, after) = rest.split_at(rest.rfind(mark)?);
        Some(format!("{before}{}{after}{ours}", excerpt(quoted)))
    });
    quotation.unwrap_or_else(|| error.to_owned())
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            // All of them are in the basic plane. Writing to a string does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_characters_are_escaped() {
        for (why, text, shown) in [
            ("plain", "svc é 名 \\ \"", "svc é 名 \\ \""),
            ("C0", "a\n\t\0\u{1b}[31m", r"a\u000a\u0009\u0000\u001b[31m"),
            ("delete and C1", "\u{7f}\u{80}\u{9b}31m\u{9f}", r"\u007f\u0080\u009b31m\u009f"),
            ("direction", "a\u{202e}b\u{2066}\u{200f}\u{61c}", r"a\u202eb\u2066\u200f\u061c"),
            ("separators", "a\u{2028}b\u{2029}", r"a\u2028b\u2029"),
            ("joiners, which emoji need", "👩\u{200d}🔬", "👩\u{200d}🔬"),
        ] {
            assert_eq!(escaped(text), shown, "{why}");
        }
    }

    #[test]
    fn uax9_and_what_cannot_be_seen_are_no_names() {
        for (why, text, is_it) in [
            ("letters", "svc", true),
            ("any letters", "名 é", true),
            ("from right to left by itself", "שלום", true),
            ("an emoji with a joiner", "👩\u{200d}🔬", true),
            ("empty", "", false),
            ("a blank", " \u{a0}\u{3000}", false),
            ("no width", "\u{200b}\u{2060}\u{feff}", false),
            ("fillers", "\u{3164}\u{115f}\u{ffa0}", false),
            ("an empty pattern", "\u{2800}", false),
            ("a soft hyphen", "\u{ad}", false),
            ("tags", "\u{e0041}", false),
            ("an override", "a\u{202e}b", false),
            ("an isolate", "a\u{2066}b", false),
            ("a mark of direction", "a\u{200f}", false),
            ("a line separator", "a\u{2028}b", false),
            ("a paragraph separator", "a\u{2029}b", false),
            ("a line feed", "a\nb", false),
            ("C1", "a\u{9b}b", false),
        ] {
            assert_eq!(is_name(text), is_it, "{why}");
        }
    }

    #[test]
    fn json_keeps_its_lines_and_its_meaning() {
        let value = serde_json::json!({ "name": "a\u{9b}31m\u{202e}\n", "tab": "\t" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = escaped_lines(&text);
        assert_eq!(shown.lines().count(), 4);
        assert!(!shown.chars().any(|c| c != '\n' && is_deceptive(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_message_quotes_64_characters_and_has_an_end() {
        let long = "x".repeat(60_000);
        let cut = "x".repeat(64) + "...";
        #[rustfmt::skip]
        let cases = [
            ("as it was",          "the member `a\"b` is \"c`d\": one of `e`".to_owned(), "the member `a\"b` is \"c`d\": one of `e`".to_owned()),
            ("as much as may be",  format!("`{}` is repeated", "x".repeat(64)),          format!("`{}` is repeated", "x".repeat(64))),
            ("too much",           format!("`{long}` is repeated"),                      format!("`{cut}` is repeated")),
            ("of two",             format!("`{long}`: \"{long}\" is not known"),         format!("`{cut}`: \"{cut}\" is not known")),
            ("it commands",        "`\u{1b}[31m\n` is repeated".to_owned(),              r"`\u001b[31m\u000a` is repeated".to_owned()),
            ("nothing is quoted",  long.clone(),                                         "x".repeat(512) + "..."),
        ];
        for (why, text, shown) in cases {
            assert_eq!(message(&text), shown, "{why}");
        }
        let many = message(&"`a".repeat(30_000));
        assert!(many.chars().count() <= 515, "{many}");
    }

    #[test]
    fn serde_quotes_64_characters() {
        let cut = "x".repeat(64) + "...";
        #[rustfmt::skip]
        let cases = [
            ("as it was",             "unknown field `a`, expected one of `b`, `c`".to_owned(), "unknown field `a`, expected one of `b`, `c`".to_owned()),
            ("nothing is quoted",     "invalid type: map, expected u64".to_owned(),             "invalid type: map, expected u64".to_owned()),
            ("one mark",              "a `b".to_owned(),                                        "a `b".to_owned()),
            ("too much",              format!("unknown field `{}`, expected `b`", "x".repeat(600)), format!("unknown field `{cut}`, expected `b`")),
            ("a text",                format!("invalid type: string \"{}\", expected u64", "x".repeat(600)), format!("invalid type: string \"{cut}\", expected u64")),
            ("a mark in a name",      format!("unknown field `a`{}`, expected `b`", "x".repeat(600)), format!("unknown field `a`{}...`, expected `b`", "x".repeat(62))),
            ("our words in a name",   format!("unknown field `, expected {}`, expected `b`", "x".repeat(600)), format!("unknown field `, expected {}...`, expected `b`", "x".repeat(53))),
            ("nothing was expected",  format!("missing field `{}`", "x".repeat(600)),            format!("missing field `{cut}`")),
        ];
        for (why, error, shown) in cases {
            assert_eq!(misfit(&error), shown, "{why}");
        }
    }

    #[test]
    fn an_excerpt_has_64_characters() {
        for (text, shown) in [
            ("é".repeat(64), "é".repeat(64)),
            ("é".repeat(65), "é".repeat(64) + "..."),
            ("\u{9b}".repeat(60_000), r"\u009b".repeat(64) + "..."),
        ] {
            assert_eq!(excerpt(&text), shown);
        }
    }
}
