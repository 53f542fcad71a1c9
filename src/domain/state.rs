//! The life of a client record.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

/// The `__STATE__` of a client. Only a `PUBLIC` client gets tokens.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "UPPERCASE")]
#[derive(Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE", parse_err_ty = UnknownState, parse_err_fn = unknown)]
pub enum State {
    /// Published: in use.
    #[default]
    Public,
    /// Not yet, or no longer, published.
    Draft,
    /// Thrown away, and can still be taken back.
    Trash,
    /// Gone, but for the record.
    Deleted,
}

impl State {
    /// Whether a client may go from this state to that one, as the platform that most collections
    /// come from has it. To stay is always allowed.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Self::Public, Self::Draft | Self::Trash)
            | (Self::Draft, Self::Public | Self::Trash)
            | (Self::Trash, Self::Draft | Self::Deleted)
            | (Self::Deleted, Self::Trash) => true,
            (from, to) => from == to,
        }
    }

    /// The word in documents and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The word names no state.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a state is PUBLIC, DRAFT, TRASH or DELETED")]
pub struct UnknownState;

fn unknown(_: &str) -> UnknownState {
    UnknownState
}
