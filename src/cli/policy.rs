//! `latchkey policy`: looks at the policy of gateways, without a server.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde_json::{Value, json};

use crate::domain::audience::Audience;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;
use crate::policy::{Explanation, Policy, Principal, Request};

use super::{Outcome, group, no_such_command, print};

#[derive(Args)]
struct Check {
    /// The policy: JSON or YAML
    file: PathBuf,
}

#[derive(Args)]
struct Explain {
    /// The policy: JSON or YAML
    file: PathBuf,

    /// The method of the request
    #[arg(long, default_value = "GET")]
    method: String,

    /// The path of the request, as it is sent
    #[arg(long)]
    path: String,

    /// A permission in the token; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<Permission>,

    /// A group in the token; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,

    /// An audience of the token; may be repeated
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<Audience>,

    /// The scope of the token, separated by spaces
    #[arg(long)]
    scope: Option<Scope>,

    /// The client that the token was issued to
    #[arg(long, value_name = "ID", default_value = "client")]
    client_id: String,

    /// There is no good token
    #[arg(long, conflicts_with_all = ["permissions", "groups", "audience", "scope", "client_id"])]
    anonymous: bool,

    /// What the gateway says of the kind of client
    #[arg(long, value_name = "TYPE")]
    client_type: Option<String>,

    /// The gateway says that it is a request of the back office
    #[arg(long)]
    backoffice: bool,

    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    let check = Check::augment_args(Command::new("check"))
        .about("Say whether a policy can be used, and where it is wrong if not")
        .after_help("Example:  latchkey policy check policy.json");
    let explain = Explain::augment_args(Command::new("explain"))
        .about("Decide a request, and say which rule and which terms of its expression decided")
        .after_help(EXAMPLE);
    group("policy", "Inspect the gateway policy").subcommand(check).subcommand(explain)
}

const EXAMPLE: &str = "Example:  latchkey policy explain policy.json --method GET --path /orders/7 \
     --permission read:orders";

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("check", matches)) => check(&Check::from_arg_matches(matches)?),
        Some(("explain", matches)) => explain(&Explain::from_arg_matches(matches)?),
        _ => no_such_command(),
    }
}

fn check(arguments: &Check) -> Outcome {
    let policy = read(&arguments.file)?;
    print(&format!("the policy is good: paths {}, rules {}", policy.paths(), policy.rules()))
}

fn explain(arguments: &Explain) -> Outcome {
    let policy = read(&arguments.file)?;
    let explanation = policy.explain(&arguments.request());
    if arguments.json {
        print(&as_json(&explanation).to_string())
    } else {
        print(&explanation.to_string())
    }
}

fn read(file: &Path) -> Result<Policy, String> {
    let content = std::fs::read(file)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    Policy::of_file(file, &content).map_err(|error| format!("`{}`, {error}", file.display()))
}

impl Explain {
    fn request(&self) -> Request<'_> {
        let principal = Principal {
            client_id: &self.client_id,
            groups: &self.groups,
            permissions: &self.permissions,
            audience: &self.audience,
            scope: self.scope.as_ref().map(Scope::as_str),
        };
        Request {
            method: &self.method,
            path: &self.path,
            client_type: self.client_type.as_deref(),
            backoffice: self.backoffice,
            principal: (!self.anonymous).then_some(principal),
        }
    }
}

fn as_json(explanation: &Explanation<'_>) -> Value {
    let reason = explanation.decision.reason;
    // `null` where the path has nothing to say of such a request.
    let rule = explanation.rule;
    let rule = explanation.covered_by.map(|path| {
        json!({
            "path": path,
            "method": rule.map(|rule| rule.method.as_str()),
            "part": rule.map(|rule| rule.part.as_str()),
            "public": rule.map(|rule| rule.grant.public),
            "expression": rule.map(|rule| rule.grant.expression.as_str()),
        })
    });
    let deciding = explanation.deciding.iter();
    let deciding =
        deciding.map(|part| json!({ "term": part.term.to_string(), "value": part.value }));
    json!({
        "outcome": reason.outcome().as_str(),
        "reason": reason.as_str(),
        "message": reason.to_string(),
        "path": explanation.path,
        "rule": rule,
        "decided_by": deciding.collect::<Vec<_>>(),
    })
}
