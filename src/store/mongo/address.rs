//! Where the database is, and how it is talked to.

use std::time::Duration;

use mongodb::bson::doc;
use mongodb::error::Error;
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, DatabaseOptions, ReadPreference,
    SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Database};

use super::MongoOpenError;

/// How long the driver looks for a server, and waits for a connection.
const CONNECTING: Duration = Duration::from_secs(2);
/// How often the driver asks whether the server lives. If that hangs, it gives up every connection,
/// those that it was about to make too: nobody else would notice that they hang.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How many connections there may be at once, if the URL does not say.
const POOL: u32 = 32;

/// A parsed URL. Has no `Debug`: there may be a password in it.
pub(super) struct Address {
    url: ConnectionString,
    /// The name of the database.
    pub(super) name: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, MongoOpenError> {
        let parsed = ConnectionString::parse(url)
            .map_err(|error| MongoOpenError::Url(what_is_wrong(url, &error)))?;
        let name = parsed.default_database.clone().filter(|name| !name.is_empty());
        Ok(Self { name: name.ok_or(MongoOpenError::NoDatabase)?, url: parsed })
    }

    /// Connects. What the URL says is kept to, but for where to read: only the primary knows what
    /// stands now.
    pub(super) async fn connect(&self) -> Result<Database, Error> {
        let mut options = ClientOptions::parse(self.url.clone()).await?;
        options.app_name.get_or_insert_with(|| "latchkey".to_owned());
        options.max_pool_size.get_or_insert(POOL);
        options.connect_timeout.get_or_insert(CONNECTING);
        options.server_selection_timeout.get_or_insert(CONNECTING);
        options.heartbeat_freq.get_or_insert(HEARTBEAT);
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        options.selection_criteria = Some(primary.clone());
        let asked = options.write_concern.clone();

        let client = Client::with_options(options)?;
        let hello = client.database(&self.name).run_command(doc! { "hello": 1 }).await?;
        let replicated = hello.contains_key("setName")
            || hello.get_str("msg").is_ok_and(|message| message == "isdbgrid");
        let durable = WriteConcern::builder()
            .w(replicated.then_some(Acknowledgment::Majority))
            .journal(true)
            .build();
        let options = DatabaseOptions::builder()
            .selection_criteria(primary)
            .write_concern(asked.unwrap_or(durable))
            .build();
        Ok(client.database_with_options(&self.name, options))
    }
}

/// The driver quotes what it does not understand: never where that could be a password. Of its error
/// the kind alone is for people.
fn what_is_wrong(url: &str, error: &Error) -> String {
    let lower = url.to_ascii_lowercase();
    if ["@", "password", "token"].iter().any(|sign| lower.contains(sign)) {
        "are the user name and the password percent-encoded, and the options right?".to_owned()
    } else {
        error.kind.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_named_in_the_url() {
        for (url, name) in [
            ("mongodb://localhost/platform", Ok("platform")),
            ("mongodb://user:pass@a:1,b:2/platform?authSource=admin", Ok("platform")),
            ("mongodb+srv://user:pass@cluster.example.com/platform", Ok("platform")),
            ("mongodb://localhost", Err("no database")),
            ("mongodb://localhost/", Err("no database")),
            ("mongodb://localhost/?w=1", Err("no database")),
            ("http://localhost/platform", Err("unsupported connection string scheme: http")),
            ("localhost", Err("no scheme")),
        ] {
            match (Address::parse(url), name) {
                (Ok(address), Ok(name)) => assert_eq!(address.name, name, "{url}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{url}: {error}");
                }
                (Ok(_), Err(_)) => panic!("{url} was taken"),
                (Err(error), Ok(_)) => panic!("{url}: {error}"),
            }
        }
    }

    #[test]
    fn an_error_is_a_sentence() {
        for (url, said) in [
            ("mongodb://host/platform?maxPoolSize=x", "`maxpoolsize` argument must be"),
            ("mongodb://host:port/platform", "port"),
            ("mongodb:///platform", "invalid argument"),
        ] {
            let error = Address::parse(url).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.contains(said), "{url}: {error}");
            for sign in ["Kind:", "labels", "None", "ErrorKind", "{", "Some("] {
                assert!(!error.contains(sign), "{url}: {error}");
            }
        }
    }

    #[test]
    fn no_password_is_in_an_error() {
        for url in [
            "mongodb://user:hunter2%@host/platform",
            "mongodb://user:hunter2@x@host/platform",
            "mongodb://user:hunter2/x@host/platform",
            "mongodb://user:hunter2@host/platform?w=hunter2&maxPoolSize=x",
            "mongodb://user:hunter2@host",
            "hunter2@host",
            "mongodb://host/platform?proxyPassword=hunter2&proxyHost=",
            "mongodb://host/platform?authMechanismProperties=AWS_SESSION_TOKEN:hunter2,hunter2",
        ] {
            let error = Address::parse(url).err();
            assert!(!format!("{error:?}").contains("hunter2"), "{url}: {error:?}");
        }
    }
}
