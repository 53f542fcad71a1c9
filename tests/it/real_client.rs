//! A client library that nobody here wrote.

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use serde_json::json;

use crate::harness::{ADMIN, Server};

/// What the library is given to speak with.
async fn speak(
    http: reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, reqwest::Error> {
    let response = http.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

#[actix_web::test]
async fn oauth2_crate() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "scope": "a b" })).await;
    let http = |request| speak(server.http.clone(), request);
    let client = |id: &str, secret: &str, how: AuthType| {
        BasicClient::new(ClientId::new(id.to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_token_uri(TokenUrl::new(format!("{}/oauth/token", server.url)).unwrap())
            .set_auth_type(how)
    };
    let scope = |name: &str| Scope::new(name.to_owned());
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        for (id, secret) in [(id.as_str(), secret.as_str()), ADMIN] {
            let client = client(id, secret, how.clone());
            let token = client.exchange_client_credentials().request_async(&http).await.unwrap();
            assert_eq!(token.expires_in().unwrap().as_secs(), 36000);
            assert!(token.refresh_token().is_none());
            assert_eq!(server.tokeninfo(token.access_token().secret()).await.status, 200);
        }
        let client = client(&id, &secret, how.clone());
        let token = client.exchange_client_credentials().request_async(&http).await.unwrap();
        assert_eq!(token.scopes(), Some(&vec![scope("a"), scope("b")]));
        let asking = client.exchange_client_credentials().add_scope(scope("b"));
        let token = asking.request_async(&http).await.unwrap();
        assert_eq!(token.scopes(), Some(&vec![scope("b")]));
    }

    let refused = async |id: &str, secret: &str, asked: &str| {
        let client = client(id, secret, AuthType::BasicAuth);
        let asking = client.exchange_client_credentials().add_scope(scope(asked));
        match asking.request_async(&http).await {
            Err(RequestTokenError::ServerResponse(told)) => told.error().clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&id, "wrong", "a").await, BasicErrorResponseType::InvalidClient);
    assert_eq!(refused(&id, &secret, "c").await, BasicErrorResponseType::InvalidScope);
}
