//! A registered client and its credentials.

mod provenance;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::audience::Audience;
use super::auth_method::AuthMethod;
use super::clock::Timestamp;
use super::credential::Credential;
use super::id::ClientId;
use super::jwk::PublicJwk;
use super::jwks_uri::JwksUri;
use super::permission::Permission;
use super::registration_token::StoredRegistrationToken;
use super::scope::Scope;
use super::secret_hash::{Profile, SecretHash};
use super::state::State;

pub use provenance::Provenance;

/// The only grant there is here.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// A secret as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// True if we made it, so that it has a checksum; false for an operator's or an imported one.
    pub checksummed: bool,
}

/// A public key of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientKey {
    /// The key.
    pub jwk: PublicJwk,
    /// Whether the key came without an `alg`: then the client's `signing_algorithm` decides.
    pub algorithm_is_open: bool,
}

/// How many of its former ids a client is found by.
const MOST_FORMER_IDS: usize = 64;

/// Which state of a document this is: what a compare-and-swap compares, and what an `ETag` is made
/// of. Another tool may have written the document without either.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Revision {
    /// Our counter.
    pub version: Option<i64>,
    /// The last change, in milliseconds since the Unix epoch, by the database's clock.
    pub updated_at_ms: Option<i64>,
}

impl Revision {
    /// As an entity tag, quoted: [RFC 9110 §8.8.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3).
    #[must_use]
    pub fn etag(self) -> String {
        let part = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
        format!("\"{}.{}\"", part(self.version), part(self.updated_at_ms))
    }
}

/// A member of a stored document that is there and cannot be read, so that nobody knows what limit
/// it sets. Never quotes what stands there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Unreadable {
    /// Its name in the document, such as `secrets[0].expiresAt`.
    pub member: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Unreadable {
    /// What stands in the place of a member if nothing of the document can be read but its id.
    pub const DOCUMENT: &str = "the document";
    /// What is wrong with a document that SQLite can neither read nor write.
    pub const ON_DAMAGED_PAGE: &str = "is on a damaged page of the file";
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.member, self.problem)
    }
}

/// A registered client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// Its public name.
    pub id: ClientId,
    /// A name for people.
    pub name: String,
    /// How it authenticates; it may use nothing else.
    pub auth_method: AuthMethod,
    /// Whether it is in use.
    pub state: State,
    /// What its tokens say it may do.
    pub permissions: Vec<Permission>,
    /// For whom its tokens may be.
    pub audience: Vec<Audience>,
    /// What it may ask for, and gets when it asks for nothing.
    pub scope: Scope,
    /// The groups an admin has put it in.
    pub groups: Vec<String>,
    /// Claims that it may set by its assertion.
    pub allowed_custom_claims: Vec<String>,
    /// The grants it may use; `None`: client credentials.
    pub grant_types: Option<Vec<String>>,
    /// Free-form notes.
    pub metadata: Map<String, Value>,
    /// How long its tokens live, where that differs from the server's setting.
    pub access_token_lifetime: Option<Duration>,
    /// How many tokens it may get in an hour, where that differs from the server's setting.
    pub quota_per_hour: Option<u64>,
    /// How many tokens it may get in a day, where that differs from the server's setting.
    pub quota_per_day: Option<u64>,
    /// Until when its assertions may carry the token endpoint's URL as `aud`.
    pub legacy_audience: Option<Timestamp>,
    /// Raised to end every token issued so far; carried in the tokens.
    pub token_epoch: u64,
    /// Its secrets.
    pub secrets: Vec<Credential<StoredSecret>>,
    /// Its keys.
    pub keys: Vec<Credential<ClientKey>>,
    /// Its registration access tokens: the current one last; before it the one that goes
    /// when the current one is first used.
    pub registration_tokens: Vec<StoredRegistrationToken>,
    /// What its assertions are signed with, if it registered that.
    pub signing_algorithm: Option<Algorithm>,
    /// Where it publishes its keys; if it does, they are looked up there and nowhere else.
    pub jwks_uri: Option<JwksUri>,
    /// How it came here; `None`: its document is from before that was noted, or another tool's.
    pub provenance: Option<Provenance>,
    /// Who registered it, as it is told: nothing is decided by it.
    pub creator: String,
    /// The ids that it had before this one, the first one first.
    pub former_ids: Vec<ClientId>,
    /// When it was registered.
    pub created: Timestamp,
    /// Who changed it last.
    pub updater: String,
    /// When it last got a token.
    pub last_login: Option<Timestamp>,
    /// The state of the document that this was read from.
    pub revision: Revision,
    /// What of the document cannot be read. While there is any, the client gets no tokens.
    pub unreadable: Vec<Unreadable>,
}

impl Client {
    /// A client as a registration begins: published, with nothing granted and no credentials.
    #[must_use]
    pub fn new(id: ClientId, name: String, auth_method: AuthMethod, created: Timestamp) -> Self {
        Self {
            id,
            name,
            auth_method,
            state: State::Public,
            permissions: Vec::new(),
            audience: Vec::new(),
            scope: Scope::default(),
            groups: Vec::new(),
            allowed_custom_claims: Vec::new(),
            grant_types: None,
            metadata: Map::new(),
            access_token_lifetime: None,
            quota_per_hour: None,
            quota_per_day: None,
            legacy_audience: None,
            token_epoch: 0,
            secrets: Vec::new(),
            keys: Vec::new(),
            registration_tokens: Vec::new(),
            signing_algorithm: None,
            jwks_uri: None,
            provenance: None,
            creator: String::new(),
            former_ids: Vec::new(),
            created,
            updater: String::new(),
            last_login: None,
            revision: Revision::default(),
            unreadable: Vec::new(),
        }
    }

    /// The id that its limits are counted by: it stays when the client gets a new one.
    #[must_use]
    pub fn lineage(&self) -> &ClientId {
        self.former_ids.first().unwrap_or(&self.id)
    }

    /// The ids that it will have had when it gets another one: the first one, and the latest of
    /// the others.
    #[must_use]
    pub fn ids_so_far(&self) -> Vec<ClientId> {
        let mut ids = self.former_ids.clone();
        if ids.len() >= MOST_FORMER_IDS {
            ids.remove(1);
        }
        ids.push(self.id.clone());
        ids
    }

    /// Whether it is in use: published, and every limit that its document sets is known.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.state == State::Public && self.unreadable.is_empty()
    }

    /// Whether nothing of its document can be read but its id.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.unreadable.iter().any(|it| it.member == Unreadable::DOCUMENT)
    }

    /// Whether its document cannot be written or removed either.
    #[must_use]
    pub fn is_on_damaged_page(&self) -> bool {
        self.unreadable.iter().any(|it| it.problem == Unreadable::ON_DAMAGED_PAGE)
    }

    /// Brings it into a state. Going into use and out of it both bring the next epoch: the tokens
    /// of one time of use are not valid in the next. Its registration access tokens end when it goes out
    /// of use.
    pub fn move_to(&mut self, state: State, next_epoch: u64) {
        if (self.state == State::Public) != (state == State::Public) {
            self.token_epoch = next_epoch;
        }
        if self.state == State::Public && state != State::Public {
            self.registration_tokens.clear();
        }
        self.state = state;
    }

    /// Whether it has power over this server: then only administrators manage it.
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.permissions.iter().any(Permission::is_ours)
    }

    /// Whether it may use the client credentials grant.
    #[must_use]
    pub fn may_use_client_credentials(&self) -> bool {
        self.grant_types
            .as_ref()
            .is_none_or(|grants| grants.iter().any(|g| g == CLIENT_CREDENTIALS))
    }
}

impl StoredSecret {
    /// What it is hashed with.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile::of_secret(self.checksummed)
    }
}

impl ClientKey {
    /// Has a key that came without an `alg` sign with the registered algorithm, or with its natural
    /// one if none was registered that fits it. A key that came with an `alg` stays as it is.
    pub fn follow(&mut self, registered: Option<Algorithm>) {
        if self.algorithm_is_open {
            let material = &self.jwk.material;
            let fitting = registered.filter(|algorithm| material.fits(*algorithm));
            self.jwk.algorithm = fitting.unwrap_or_else(|| material.natural_algorithm());
        }
    }
}

impl Credential<ClientKey> {
    /// A key registered now, without an end.
    #[must_use]
    pub fn of_key(jwk: PublicJwk, created: Timestamp) -> Self {
        let id = jwk.credential_id();
        Self::new(id, ClientKey { jwk, algorithm_is_open: false }, created)
    }
}
