//! Which rule is about a path: a tree of segments, so that the number of rules does not matter.

use std::collections::HashMap;

use super::path::{self, PathError};

/// Longer paths in a policy are a mistake.
const LONGEST: usize = 2048;

/// Values by the pattern of their path.
#[derive(Debug)]
pub struct Routes<T> {
    root: Node<T>,
}

/// What may come after one segment.
#[derive(Debug)]
struct Node<T> {
    literals: HashMap<Box<str>, Node<T>>,
    parameter: Option<Box<Node<T>>>,
    any: Option<Box<Node<T>>>,
    rest: Option<T>,
    here: Option<T>,
}

/// One segment of a pattern.
enum Segment {
    Literal(String),
    Parameter,
    Any,
    Rest,
}

/// The path of a rule is not understood, or is there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadPattern {
    /// Not from the root.
    #[error("a path must begin with `/`")]
    NotAbsolute,
    /// Far beyond what a rule needs.
    #[error("a path has at most {LONGEST} characters")]
    TooLong,
    /// A `?` or a `#`.
    #[error("a path has no query and no fragment: `?` and `#` are written %3F and %23")]
    Query,
    /// `.` or `..`, which no path still has when it is matched.
    #[error("a path has no `.` and no `..` segment")]
    Dots,
    /// `/**` in the middle.
    #[error("`**` must be the last segment")]
    RestNotLast,
    /// `a*`, `{a}b`, `{}` and their like.
    #[error("`*`, `**` and `{{name}}` are whole segments; a literal `*`, `{{` or `}}` is encoded")]
    PartOfSegment,
    /// A segment that no request can have.
    #[error(transparent)]
    Unmatchable(#[from] PathError),
    /// Two rules for the same paths.
    #[error(
        "an earlier rule is for the same path: they differ at most in slashes, encoding or names"
    )]
    Repeated,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), parameter: None, any: None, rest: None, here: None }
    }
}

impl<T> Routes<T> {
    /// Adds a value for the paths that `pattern` covers.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), BadPattern> {
        *self.place(pattern)? = Some(value);
        Ok(())
    }

    /// The empty place of a value for the paths that `pattern` covers.
    pub(super) fn place(&mut self, pattern: &str) -> Result<&mut Option<T>, BadPattern> {
        let mut node = &mut self.root;
        let mut rest = false;
        for segment in segments(pattern)? {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.into()).or_default(),
                Segment::Parameter => node.parameter.get_or_insert_default(),
                Segment::Any => node.any.get_or_insert_default(),
                Segment::Rest => {
                    rest = true;
                    node
                }
            };
        }
        let place = if rest { &mut node.rest } else { &mut node.here };
        if place.is_some() { Err(BadPattern::Repeated) } else { Ok(place) }
    }

    /// The value of the longest pattern that covers a normalised path. A pattern is as long as it
    /// has segments, `/**` not counted. Of patterns of one length, the first segment in which they
    /// differ decides: a literal before a `{parameter}` before `*`; and `/**` before nothing at all.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&T> {
        let mut longest = Longest { length: 0, value: None };
        self.root.search(path.strip_prefix('/').unwrap_or(path), 0, &mut longest);
        longest.value
    }
}

/// The best found so far.
struct Longest<'a, T> {
    length: usize,
    value: Option<&'a T>,
}

impl<T> Node<T> {
    /// Looks along each branch that fits, in the order of preference; what comes later must be
    /// longer. Each node is visited at most once. True when nothing better is to be found.
    fn search<'a>(&'a self, path: &str, depth: usize, longest: &mut Longest<'a, T>) -> bool {
        let covering = match path {
            "" => self.here.as_ref().or(self.rest.as_ref()),
            _ => self.rest.as_ref().or(self.here.as_ref()),
        };
        if covering.is_some() && (depth > longest.length || longest.value.is_none()) {
            *longest = Longest { length: depth, value: covering };
        }
        if path.is_empty() {
            return covering.is_some();
        }
        let (first, path) = path.split_once('/').unwrap_or((path, ""));
        let branches = [self.literals.get(first), self.parameter.as_deref(), self.any.as_deref()];
        branches.into_iter().flatten().any(|next| next.search(path, depth + 1, longest))
    }
}

fn segments(pattern: &str) -> Result<Vec<Segment>, BadPattern> {
    if pattern.len() > LONGEST {
        return Err(BadPattern::TooLong);
    }
    if pattern.contains(['?', '#']) {
        return Err(BadPattern::Query);
    }
    let rest = pattern.strip_prefix('/').ok_or(BadPattern::NotAbsolute)?;
    let named = rest.split('/').filter(|segment| !segment.is_empty());
    let segments = named.map(segment).collect::<Result<Vec<_>, _>>()?;
    match segments.split_last() {
        Some((_, before)) if before.iter().any(|s| matches!(s, Segment::Rest)) => {
            Err(BadPattern::RestNotLast)
        }
        _ => Ok(segments),
    }
}

fn segment(raw: &str) -> Result<Segment, BadPattern> {
    let name = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}'));
    match (raw, name) {
        ("*", _) => Ok(Segment::Any),
        ("**", _) => Ok(Segment::Rest),
        (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}', '*']) => {
            Ok(Segment::Parameter)
        }
        _ if raw.contains(['{', '}', '*']) => Err(BadPattern::PartOfSegment),
        _ => match path::literal(raw)? {
            dots if matches!(dots.as_str(), "." | "..") => Err(BadPattern::Dots),
            literal => Ok(Segment::Literal(literal)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pattern_decides() {
        #[rustfmt::skip]
        let cases: &[(&str, &[&str], &str, Option<&str>)] = &[
            // why                                   patterns                              path         found
            ("itself",                               &["/foo"],                            "/foo",      Some("/foo")),
            ("what is below",                        &["/foo"],                            "/foo/x/y",  Some("/foo")),
            ("not what begins alike",                &["/foo"],                            "/foo-bar",  None),
            ("nor what is above",                    &["/foo/x"],                          "/foo",      None),
            ("the root covers all",                  &["/", "/foo"],                       "/bar",      Some("/")),
            ("and itself",                           &["/", "/foo"],                       "/",         Some("/")),
            ("longer before shorter",                &["/foo", "/foo/x"],                  "/foo/x/y",  Some("/foo/x")),
            ("a slash at the end is none",           &["/foo/"],                           "/foo",      Some("/foo/")),
            ("parameter",                            &["/o/{id}"],                         "/o/7",      Some("/o/{id}")),
            ("a parameter is one segment, and more below", &["/o/{id}"],                   "/o/7/x",    Some("/o/{id}")),
            ("a parameter is not nothing",           &["/o/{id}"],                         "/o",        None),
            ("literal before parameter",             &["/o/{id}", "/o/new"],               "/o/new",    Some("/o/new")),
            ("parameter before *",                   &["/o/*", "/o/{id}"],                 "/o/7",      Some("/o/{id}")),
            ("* before /**",                         &["/o/**", "/o/*"],                   "/o/7/x",    Some("/o/*")),
            ("/** before what is above it",          &["/o", "/o/**"],                     "/o/7",      Some("/o/**")),
            ("/** covers its own root",              &["/", "/o/**"],                      "/o",        Some("/o/**")),
            ("but not before that root's rule",      &["/o", "/o/**"],                     "/o",        Some("/o")),
            ("/** at the root",                      &["/**"],                             "/a/b",      Some("/**")),
            ("length before kind",                   &["/a/b", "/a/{x}/c"],                "/a/b/c",    Some("/a/{x}/c")),
            ("the first difference decides",         &["/{x}/b", "/a/*"],                  "/a/b",      Some("/a/*")),
            ("a dead end is left again",             &["/a/b/c", "/a/{x}"],                "/a/b/d",    Some("/a/{x}")),
            ("a name in braces is no parameter when encoded", &["/%7Bid%7D"],              "/7",        None),
            ("encoding does not matter",             &["/caf%C3%A9"],                      "/café",     Some("/caf%C3%A9")),
            ("encoded slash is no separator",        &["/a/b"],                            "/a%2Fb",    None),
            ("encoded slash in a rule",              &["/a%2fb"],                          "/a%2Fb",    Some("/a%2fb")),
        ];
        for (why, patterns, path, found) in cases {
            for reversed in [false, true] {
                let mut routes = Routes::default();
                let mut order = patterns.to_vec();
                if reversed {
                    order.reverse();
                }
                for pattern in order {
                    routes.insert(pattern, pattern).unwrap();
                }
                assert_eq!(routes.find(path).copied(), *found, "{why}");
            }
        }
    }

    #[test]
    fn patterns_that_are_refused() {
        for (why, patterns, error) in [
            ("not from the root", &["orders"][..], BadPattern::NotAbsolute),
            ("empty", &[""], BadPattern::NotAbsolute),
            ("query", &["/a?b=c"], BadPattern::Query),
            ("dots", &["/a/../b"], BadPattern::Dots),
            ("encoded dots", &["/a/%2e/b"], BadPattern::Dots),
            ("rest in the middle", &["/**/a"], BadPattern::RestNotLast),
            ("part of a segment", &["/a*"], BadPattern::PartOfSegment),
            ("parameter in a segment", &["/{id}.json"], BadPattern::PartOfSegment),
            ("parameter without a name", &["/{}"], BadPattern::PartOfSegment),
            ("matches nothing", &["/a%zz"], BadPattern::Unmatchable(PathError::BadEncoding)),
            ("twice", &["/a", "/a"], BadPattern::Repeated),
            ("twice, by a slash", &["/a", "/a/"], BadPattern::Repeated),
            ("twice, by encoding", &["/a", "/%61"], BadPattern::Repeated),
            ("twice, by name", &["/{a}", "/{b}"], BadPattern::Repeated),
            ("twice, the rest", &["/a/**", "/a/**"], BadPattern::Repeated),
            ("too long", &[&*format!("/{}", "a".repeat(2048))], BadPattern::TooLong),
        ] {
            let mut routes = Routes::default();
            let refused = patterns.iter().find_map(|pattern| routes.insert(pattern, ()).err());
            assert_eq!(refused, Some(error), "{why}");
        }
    }
}
