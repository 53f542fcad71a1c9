//! Failures of a store: it does not answer, it cannot be written, or a record in it is damaged.

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The store could not answer. The cause is for the log, never for the caller.
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.what())]
pub struct StoreError {
    kind: Kind,
    source: Cause,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Damaged,
    Unavailable,
    Unwritable,
}

impl Kind {
    fn what(self) -> &'static str {
        match self {
            Self::Damaged => "the store is damaged",
            Self::Unavailable | Self::Unwritable => "store unavailable",
        }
    }
}

impl StoreError {
    /// Wraps whatever the backend said.
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self { kind: Kind::Unavailable, source: cause.into() }
    }

    /// What is kept is damaged: trying again does not help.
    pub fn damaged(cause: impl Into<Cause>) -> Self {
        Self { kind: Kind::Damaged, source: cause.into() }
    }

    /// The store can be read and not written: the disk is full, say.
    pub fn unwritable(cause: impl Into<Cause>) -> Self {
        Self { kind: Kind::Unwritable, source: cause.into() }
    }

    /// Whether what is kept is damaged.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.kind == Kind::Damaged
    }

    /// Whether the store refused a write that it may take when there is room again.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        self.kind == Kind::Unwritable
    }
}
