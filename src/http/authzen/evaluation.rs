//! Evaluations as they are sent, read strictly: §5 and §7.1. Members that nobody here knows are
//! ignored, as the specification wants it.

use serde_json::Value;

use crate::domain::error_code::ErrorCode;
use crate::domain::free_form::{DEEPEST, is_too_deep};
use crate::policy::{Request, Subject};
use crate::web::refusal::Refusal;

/// How many evaluations there may be at once.
const MOST: usize = 100;
/// The only type of subjects that is known here.
const CLIENT: &str = "client";
/// The only type of resources that is known here: its id is a path.
const ROUTE: &str = "route";

/// One evaluation.
#[derive(Clone, Copy)]
pub(super) struct Evaluation<'a> {
    /// Who it is about; `None` if nothing is known of subjects of its type.
    pub(super) subject: Option<Subject<'a>>,
    /// Whether the resource is one of those that a policy is about.
    pub(super) is_route: bool,
    /// What the subject wants to do: the action is the method, the id of the resource the path.
    pub(super) request: Request<'a>,
}

/// Several evaluations.
pub(super) struct Batch<'a> {
    /// The evaluations, or what is wrong with them.
    pub(super) evaluations: Vec<Result<Evaluation<'a>, Malformed>>,
    /// Until when they are answered.
    pub(super) semantic: Semantic,
}

/// Until when evaluations are answered: §7.1.2.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Semantic {
    /// To the end.
    ExecuteAll,
    /// To the first denial.
    DenyOnFirstDeny,
    /// To the first permit.
    PermitOnFirstPermit,
}

/// What is asked does not have the form of an evaluation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Malformed {
    /// A member is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// Free-form members are nested too deeply.
    #[error("`{0}` must not be nested deeper than {DEEPEST} levels")]
    TooDeep(String),
    /// A member is not of its type.
    #[error("`{0}` must be {1}")]
    Type(String, &'static str),
    /// More evaluations than may come at once.
    #[error("`evaluations` must be at most {MOST}")]
    TooMany,
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::new(ErrorCode::InvalidRequest, &malformed.to_string())
    }
}

impl<'a> Batch<'a> {
    /// The evaluations of an object, if there are any beside itself.
    pub(super) fn of(asked: &'a Value) -> Result<Option<Self>, Malformed> {
        let semantic = Semantic::of(asked)?;
        let sent = match asked.get("evaluations") {
            None => return Ok(None),
            Some(Value::Array(sent)) if sent.is_empty() => return Ok(None),
            Some(Value::Array(sent)) if sent.len() > MOST => {
                return Err(Malformed::TooMany);
            }
            Some(Value::Array(sent)) => sent,
            Some(_) => return Err(Malformed::Type("evaluations".to_owned(), "an array")),
        };
        for default in ["subject", "action", "resource", "context"] {
            object(asked, default)?;
        }
        let read = sent.iter().map(|one| Evaluation::read(one, asked));
        Ok(Some(Self { evaluations: read.collect(), semantic }))
    }
}

impl Semantic {
    fn of(asked: &Value) -> Result<Self, Malformed> {
        let Some(options) = object(asked, "options")? else { return Ok(Self::ExecuteAll) };
        match options.get("evaluations_semantic").map(Value::as_str) {
            None | Some(Some("execute_all")) => Ok(Self::ExecuteAll),
            Some(Some("deny_on_first_deny")) => Ok(Self::DenyOnFirstDeny),
            Some(Some("permit_on_first_permit")) => Ok(Self::PermitOnFirstPermit),
            Some(_) => Err(Malformed::Type(
                "options.evaluations_semantic".to_owned(),
                "execute_all, deny_on_first_deny or permit_on_first_permit",
            )),
        }
    }
}

impl<'a> Evaluation<'a> {
    /// Reads an evaluation. What it does not say, `defaults` may.
    pub(super) fn read(own: &'a Value, defaults: &'a Value) -> Result<Self, Malformed> {
        if !own.is_object() {
            return Err(Malformed::Type("evaluations".to_owned(), "an array of objects"));
        }
        let entity = |name| Entity::read(own, defaults, name);
        let (subject, action, resource) =
            (entity("subject")?, entity("action")?, entity("resource")?);
        let (kind, id) = (resource.text("type")?, resource.text("id")?);
        let context = match object(own, "context")? {
            Some(context) => Some(context),
            None => object(defaults, "context")?,
        };
        let told = |name| context.and_then(|context| context.get(name));
        let subject = whom(&subject)?;
        let method = action.text("name")?;
        let client_type =
            told("client_type").map(|it| text(it, "context.client_type")).transpose()?;
        let backoffice = match told("backoffice") {
            None => false,
            Some(Value::Bool(told)) => *told,
            Some(_) => return Err(Malformed::Type("context.backoffice".to_owned(), "a boolean")),
        };
        let request = Request { client_type, backoffice, ..Request::new(method, id) };
        Ok(Self { subject, is_route: kind == ROUTE, request })
    }
}

/// A client by its id, or by a token in its properties; then the id may be left out.
fn whom<'a>(subject: &Entity<'a>) -> Result<Option<Subject<'a>>, Malformed> {
    let is_known = subject.text("type")? == CLIENT;
    let token = subject.properties.and_then(|properties| properties.get("access_token"));
    let token = token.map(|it| text(it, "subject.properties.access_token")).transpose()?;
    match token.filter(|_| is_known) {
        None => subject.text("id").map(|id| is_known.then_some(Subject::Client(id))),
        Some(token) => {
            let client_id = subject.has("id").then(|| subject.text("id")).transpose()?;
            Ok(Some(Subject::Bearer { token, client_id }))
        }
    }
}

/// A subject, an action or a resource.
#[derive(Clone, Copy)]
struct Entity<'a> {
    name: &'static str,
    own: &'a Value,
    default: Option<&'a Value>,
    properties: Option<&'a Value>,
}

impl<'a> Entity<'a> {
    /// That of the evaluation, or the default; of the default also what it must have and has not.
    fn read(own: &'a Value, defaults: &'a Value, name: &'static str) -> Result<Self, Malformed> {
        let default = object(defaults, name)?;
        let own = object(own, name)?.or(default);
        let own = own.ok_or_else(|| Malformed::Missing(name.to_owned()))?;
        let properties = match own.get("properties") {
            None => None,
            Some(properties) if is_too_deep(properties) => {
                return Err(Malformed::TooDeep(format!("{name}.properties")));
            }
            Some(properties) if properties.is_object() => Some(properties),
            Some(_) => return Err(Malformed::Type(format!("{name}.properties"), "an object")),
        };
        Ok(Self { name, own, default, properties })
    }

    fn find(&self, member: &str) -> Option<&'a Value> {
        self.own.get(member).or_else(|| self.default?.get(member))
    }

    fn has(&self, member: &str) -> bool {
        self.find(member).is_some()
    }

    fn text(&self, member: &str) -> Result<&'a str, Malformed> {
        let path = format!("{}.{member}", self.name);
        match self.find(member) {
            Some(value) => text(value, &path),
            None => Err(Malformed::Missing(path)),
        }
    }
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, Malformed> {
    value.as_str().ok_or_else(|| Malformed::Type(path.to_owned(), "a string"))
}

fn object<'a>(of: &'a Value, name: &str) -> Result<Option<&'a Value>, Malformed> {
    match of.get(name) {
        None => Ok(None),
        Some(context) if name == "context" && is_too_deep(context) => {
            Err(Malformed::TooDeep(name.to_owned()))
        }
        Some(member) if member.is_object() => Ok(Some(member)),
        Some(_) => Err(Malformed::Type(name.to_owned(), "an object")),
    }
}
