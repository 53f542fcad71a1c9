//! The flags about permissions, audiences and groups.

use std::collections::HashSet;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::domain::lists;

/// The lists of a client, and what shall become of them.
#[derive(Args)]
pub(super) struct Lists {
    /// What its tokens say it may do, instead of what they say now; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION", conflicts_with_all = ["add_permissions", "remove_permissions"])]
    permissions: Vec<String>,
    /// Beside what they say now; may be repeated
    #[arg(long = "add-permission", value_name = "PERMISSION")]
    add_permissions: Vec<String>,
    /// Not any more; may be repeated
    #[arg(long = "remove-permission", value_name = "PERMISSION")]
    remove_permissions: Vec<String>,

    /// For whom its tokens may be, instead of for whom they may be now; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE", conflicts_with_all = ["add_audience", "remove_audience"])]
    audience: Vec<String>,
    /// Another one; may be repeated
    #[arg(long = "add-audience", value_name = "AUDIENCE")]
    add_audience: Vec<String>,
    /// Not any more; may be repeated
    #[arg(long = "remove-audience", value_name = "AUDIENCE")]
    remove_audience: Vec<String>,

    /// The groups that it is in, instead of those it is in now; may be repeated
    #[arg(long = "group", value_name = "GROUP", conflicts_with_all = ["add_groups", "remove_groups"])]
    groups: Vec<String>,
    /// Another group; may be repeated
    #[arg(long = "add-group", value_name = "GROUP")]
    add_groups: Vec<String>,
    /// Not any more; may be repeated
    #[arg(long = "remove-group", value_name = "GROUP")]
    remove_groups: Vec<String>,
}

/// What happens to one list.
pub(super) struct Edit<'a> {
    pub(super) name: &'static str,
    pub(super) instead: &'a [String],
    add: &'a [String],
    remove: &'a [String],
}

impl Edit<'_> {
    fn needs_what_is_there(&self) -> bool {
        !self.add.is_empty() || !self.remove.is_empty()
    }

    fn of(&self, client: &Value) -> Value {
        let held = client.get(self.name).and_then(Value::as_array).into_iter().flatten();
        let gone: HashSet<&str> = self.remove.iter().map(String::as_str).collect();
        let kept = held.filter_map(Value::as_str).filter(|item| !gone.contains(item));
        json!(lists::unique(kept.chain(self.add.iter().map(String::as_str))))
    }
}

impl Lists {
    /// Each of them.
    #[rustfmt::skip]
    pub(super) fn all(&self) -> [Edit<'_>; 3] {
        [
            Edit { name: "permissions", instead: &self.permissions, add: &self.add_permissions, remove: &self.remove_permissions },
            Edit { name: "audience", instead: &self.audience, add: &self.add_audience, remove: &self.remove_audience },
            Edit { name: "groups", instead: &self.groups, add: &self.add_groups, remove: &self.remove_groups },
        ]
    }

    /// Whether it must be known what is in them now.
    pub(super) fn are_edited(&self) -> bool {
        self.all().iter().any(Edit::needs_what_is_there)
    }

    /// The lists that change, as they shall be.
    pub(super) fn edited(&self, client: &Value) -> Map<String, Value> {
        let all = self.all();
        let edits = all.iter().filter(|edit| edit.needs_what_is_there());
        edits.map(|edit| (edit.name.to_owned(), edit.of(client))).collect()
    }
}
