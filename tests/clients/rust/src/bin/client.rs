//! openidconnect: discovery, basic and post; scopes as it sees them.

use openidconnect::core::{CoreClient, CoreProviderMetadata};
use openidconnect::reqwest::blocking::Client;
use openidconnect::{AuthType, ClientId, ClientSecret, IssuerUrl, OAuth2TokenResponse, Scope};

fn env(name: &str) -> String {
    std::env::var(name).unwrap()
}

fn main() {
    let http = Client::new();
    let issuer = IssuerUrl::new(env("ISSUER")).unwrap();
    let metadata = CoreProviderMetadata::discover(&issuer, &http).unwrap();
    let endpoint = metadata.token_endpoint().unwrap().clone();
    for (how, secret) in [
        (AuthType::BasicAuth, env("CLIENT_SECRET")),
        (AuthType::RequestBody, env("CLIENT_SECRET")),
        (AuthType::BasicAuth, "wrong".to_owned()),
    ] {
        let id = ClientId::new(env("CLIENT_ID"));
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            id,
            Some(ClientSecret::new(secret.clone())),
        );
        let client = client.set_auth_type(how).set_token_uri(endpoint.clone());
        let asking = client.exchange_client_credentials().add_scope(Scope::new("a".to_owned()));
        match asking.request(&http) {
            Ok(token) => {
                assert_ne!(secret, "wrong");
                assert_eq!(token.scopes(), Some(&vec![Scope::new("a".to_owned())]));
            }
            Err(error) => assert_eq!(secret, "wrong", "{error:?}"),
        }
    }
    println!("openidconnect: discovery, basic, post, refused when wrong");
}
