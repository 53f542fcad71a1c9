//! How a client came to this server. Its `creatorId` cannot say: clients and other platforms fill it.

use strum::{EnumString, IntoStaticStr};

use super::Client;
use crate::domain::id::{FORMER_SERVER, NOBODY};

/// How a client came to this server; this server alone says it.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(serialize_all = "lowercase")]
pub enum Provenance {
    /// An administrator made it.
    Created,
    /// An administrator brought it from another platform.
    Imported,
    /// A start of the server, or the command line, made it to be the administrator.
    Installed,
    /// It registered itself.
    Registered,
}

impl Provenance {
    /// The word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Client {
    /// Whether it registered itself. A document from before the member did if nobody signed it, and
    /// nobody but the client has changed it: one that was imported names who did it.
    #[must_use]
    pub fn registered_itself(&self) -> bool {
        let before = || {
            let by_itself = self.updater == NOBODY || self.updater == self.id.as_str();
            self.creator == NOBODY && by_itself && self.revision.version.is_some()
        };
        self.provenance.map_or_else(before, |it| it == Provenance::Registered)
    }

    /// Whether the server made it to be the administrator. A document from before the member is one if
    /// it says so and nobody has changed it: one that was imported, or made by a client of that id,
    /// names who did it, and so does one to which somebody granted its power.
    #[must_use]
    pub fn was_installed(&self) -> bool {
        let before = || {
            self.creator == FORMER_SERVER
                && self.updater == NOBODY
                && self.revision.version.is_some()
        };
        self.provenance.map_or_else(before, |it| it == Provenance::Installed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::auth_method::AuthMethod;
    use crate::domain::client::Revision;
    use crate::domain::clock::Timestamp;

    #[test]
    fn who_made_it_is_not_what_its_author_says() {
        use Provenance::{Created, Imported, Installed, Registered};
        #[rustfmt::skip]
        let cases = [
            // why                                provenance        creator     updater     ours   itself  installed
            ("registered itself",                 Some(Registered), "public",   "public",   true,  true,   false),
            ("the same, changed by an admin",     Some(Registered), "public",   "admin",    true,  true,   false),
            ("made by a client `public`",         Some(Created),    "public",   "public",   true,  false,  false),
            ("made by a client `latchkey`",       Some(Created),    "latchkey", "public",   true,  false,  false),
            ("imported as the server's",          Some(Imported),   "latchkey", "public",   true,  false,  false),
            ("imported as nobody's",              Some(Imported),   "public",   "public",   true,  false,  false),
            ("made by a start",                   Some(Installed),  "latchkey:server", "x", true,  false,  true),
            ("before: registered itself",         None,             "public",   "public",   true,  true,   false),
            ("before: and changed itself",        None,             "public",   "svc",      true,  true,   false),
            ("before: imported",                  None,             "public",   "admin",    true,  false,  false),
            ("before: of another tool",           None,             "public",   "public",   false, false,  false),
            ("before: made by a start",           None,             "latchkey", "public",   true,  false,  true),
            ("before: imported as the server's",  None,             "latchkey", "admin",    true,  false,  false),
            ("before: by a client `latchkey`",    None,             "latchkey", "latchkey", true,  false,  false),
            ("before: of another tool",           None,             "latchkey", "public",   false, false,  false),
        ];
        for (why, provenance, creator, updater, ours, itself, installed) in cases {
            let id = "svc".parse().unwrap();
            let client = Client {
                provenance,
                creator: creator.to_owned(),
                updater: updater.to_owned(),
                revision: Revision { version: ours.then_some(1), updated_at_ms: Some(1) },
                ..Client::new(id, String::new(), AuthMethod::default(), Timestamp(0))
            };
            assert_eq!(client.registered_itself(), itself, "{why}");
            assert_eq!(client.was_installed(), installed, "{why}");
        }
        for word in [Created, Imported, Installed, Registered] {
            assert_eq!(word.as_str().parse::<Provenance>().unwrap(), word);
        }
    }
}
