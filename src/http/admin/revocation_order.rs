//! What an administrator wants revoked, as it is written.

use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::clients::revoke::{Instruction, LATEST, Order, Part};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::printable::excerpt;

/// Every member that an order may have.
const MEMBERS: [&str; 9] =
    ["jti", "exp", "client_id", "issued_before", "credential", "kid", "all", "reason", "force"];
/// No name of a token, a key or a credential is longer.
const LONGEST_NAME: usize = 256;
const LONGEST_REASON: usize = 1000;

/// Reads an order. What would say two things at once is refused.
pub(super) fn instruction(object: &Value) -> Result<Instruction, ClientsError> {
    let empty = Map::new();
    let members = Members(object.as_object().unwrap_or(&empty));
    members.refuse_unknown()?;
    let order = match members.subjects().as_slice() {
        ["jti"] => Order::Token(members.required_name("jti")?, members.moment("exp")?),
        ["client_id"] => Order::Client(members.client()?, Part::All),
        ["client_id", "issued_before"] => {
            let before = members.required_moment("issued_before")?;
            Order::Client(members.client()?, Part::Before(before))
        }
        ["client_id", "credential"] => {
            let credential = CredentialId::from(&*members.required_name("credential")?);
            Order::Client(members.client()?, Part::Of(credential))
        }
        ["kid"] => Order::SigningKey(members.required_name("kid")?),
        ["issued_before", "all"] => {
            members.must_be_true("all")?;
            Order::Everything(members.required_moment("issued_before")?)
        }
        [] => return refused("say what to revoke: `jti`, `client_id`, `kid` or `all`"),
        ["issued_before"] => return refused("`issued_before` needs `client_id` or `all`"),
        ["all"] => return refused("`all` needs `issued_before`"),
        ["credential"] => return refused("`credential` needs `client_id`"),
        several => {
            let several = several.join("`, `");
            return refused(&format!("`{several}` do not go together"));
        }
    };
    if members.0.contains_key("exp") && !matches!(order, Order::Token(..)) {
        return refused("`exp` goes with `jti` only");
    }
    Ok(Instruction { order, reason: members.reason()?, force: members.flag("force")? })
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn refuse_unknown(&self) -> Result<(), ClientsError> {
        match self.0.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            Some(unknown) => refused(&format!("unknown member `{}`", excerpt(unknown))),
            None => Ok(()),
        }
    }

    /// The members that say what to revoke, in a fixed order.
    fn subjects(&self) -> Vec<&'static str> {
        let subjects = ["jti", "client_id", "issued_before", "credential", "kid", "all"];
        subjects.into_iter().filter(|name| self.0.contains_key(*name)).collect()
    }

    fn text(&self, name: &str) -> Result<Option<&str>, ClientsError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => refused(&format!("`{name}` must be a string")),
        }
    }

    fn required_name(&self, name: &str) -> Result<String, ClientsError> {
        let text = self.text(name)?.unwrap_or_default();
        let legal = (1..=LONGEST_NAME).contains(&text.len()) && !text.contains(char::is_control);
        if legal { Ok(text.to_owned()) } else { refused(&format!("`{name}` is malformed")) }
    }

    fn client(&self) -> Result<ClientId, ClientsError> {
        let text = self.text("client_id")?.unwrap_or_default();
        text.parse().map_err(|error| malformed(format!("`client_id`: {error}")))
    }

    /// A `NumericDate`, or a date of RFC 3339.
    fn moment(&self, name: &str) -> Result<Option<Timestamp>, ClientsError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let written = || value.as_str().and_then(Timestamp::from_rfc3339);
        match value.as_u64().map(Timestamp).or_else(written).filter(|at| *at <= LATEST) {
            Some(at) => Ok(Some(at)),
            None => refused(&format!(
                "`{name}` must be seconds since the epoch, or a date such as 2027-01-31T00:00:00Z"
            )),
        }
    }

    fn required_moment(&self, name: &str) -> Result<Timestamp, ClientsError> {
        self.moment(name)?.ok_or_else(|| malformed(format!("`{name}` is missing")))
    }

    fn must_be_true(&self, name: &str) -> Result<(), ClientsError> {
        match self.0.get(name) {
            Some(Value::Bool(true)) => Ok(()),
            _ => refused(&format!("`{name}` must be true")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, ClientsError> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => refused(&format!("`{name}` must be true or false")),
        }
    }

    fn reason(&self) -> Result<Option<String>, ClientsError> {
        let reason = self.text("reason")?.map(str::to_owned);
        let too_long = reason.as_ref().is_some_and(|text| text.chars().count() > LONGEST_REASON);
        if too_long {
            return refused(&format!("`reason` must have at most {LONGEST_REASON} characters"));
        }
        Ok(reason)
    }
}

fn malformed(why: String) -> ClientsError {
    ClientsError::Malformed(why)
}

fn refused<T>(why: &str) -> Result<T, ClientsError> {
    Err(malformed(why.to_owned()))
}
