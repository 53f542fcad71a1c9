//! The first administrator's credentials, in a file beside the embedded store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::clients::admin::AdminCredentials;
use crate::domain::id::ClientId;
use crate::domain::secret::ClientSecret;
use crate::files::{replace_private, write_private};

/// What is in the file.
#[derive(Deserialize)]
struct Content {
    client_id: ClientId,
    client_secret: String,
}

/// Where the credentials are, in the folder of the store.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join("admin.json")
}

/// Reads the credentials; `None` if no such file.
pub fn read(path: &Path) -> io::Result<Option<AdminCredentials>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    // What the parser says may quote the secret.
    let content: Content = serde_json::from_str(&text)
        .map_err(|_| io::Error::other("must hold {\"client_id\": …, \"client_secret\": …}"))?;
    let secret = ClientSecret::from(content.client_secret);
    Ok(Some(AdminCredentials { client_id: content.client_id, secret }))
}

/// Writes the credentials, for the owner of the file alone.
pub fn write(path: &Path, credentials: &AdminCredentials) -> io::Result<()> {
    write_private(path, &text(credentials))
}

/// Puts other credentials in the place of those that may be there.
pub fn replace(path: &Path, credentials: &AdminCredentials) -> io::Result<()> {
    replace_private(path, &text(credentials))
}

fn text(credentials: &AdminCredentials) -> Vec<u8> {
    let content = json!({
        "client_id": credentials.client_id,
        "client_secret": credentials.secret.reveal(),
    });
    format!("{content:#}\n").into_bytes()
}
