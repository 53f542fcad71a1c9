//! Says of each token what the code of the manual says of it: TOKEN_FILE …

#[path = "../snippet.rs"]
mod snippet;

use std::path::PathBuf;

use jsonwebtoken::jwk::JwkSet;
use openidconnect::reqwest::blocking::get;

fn main() {
    let url = format!("{}/.well-known/jwks.json", std::env::var("ISSUER").unwrap());
    let keys: JwkSet = serde_json::from_str(&get(url).unwrap().text().unwrap()).unwrap();
    for path in std::env::args().skip(1).map(PathBuf::from) {
        let token = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        match snippet::verify(token.trim(), &keys) {
            Ok(claims) if !claims.client_id.is_empty() && claims.permissions.len() < 9 => {
                println!("{name} accepted");
            }
            outcome => {
                println!("{name} refused");
                eprintln!("{name}: {outcome:?}");
            }
        }
    }
}
