//! `openapi.yaml` says what is served, and the documentation shows it.

use std::collections::BTreeSet;

use latchkey::domain::jwk::Algorithm;
use latchkey::http::{Entry, TABLE};
use serde_json::{Value, json};

use crate::harness::{Server, client_key};

const TOKEN_URL: &str =
    "/components/securitySchemes/clientCredentials/flows/clientCredentials/tokenUrl";
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn contract() -> Value {
    serde_saphyr::from_str(include_str!("../../openapi.yaml")).unwrap()
}

/// Every operation, with its method and path.
fn operations(contract: &Value) -> Vec<(String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                found.push((method.to_uppercase(), path.clone(), operation));
            }
        }
    }
    found
}

/// What a reference stands for; anything else is itself.
fn resolved<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let target = contract.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "`{reference}` leads nowhere");
            target.unwrap()
        }
        None => value,
    }
}

fn each_value<'a>(value: &'a Value, see: &mut impl FnMut(&'a Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_value(item, see)),
        Value::Object(members) => members.values().for_each(|member| each_value(member, see)),
        _ => {}
    }
}

fn has_example(media: &Value) -> bool {
    media.get("example").is_some() || media["examples"].as_object().is_some_and(|e| !e.is_empty())
}

#[test]
fn the_contract_lists_the_routes_that_are_served_and_no_others() {
    let contract = contract();
    let documented: BTreeSet<(String, String)> =
        operations(&contract).into_iter().map(|(method, path, _)| (method, path)).collect();
    let method =
        |entry: &Entry| if entry.method == "ANY" { "GET" } else { entry.method }.to_owned();
    let served: BTreeSet<(String, String)> =
        TABLE.iter().map(|entry| (method(entry), entry.path.replace(":.*}", "}"))).collect();
    assert_eq!(documented, served);
    for entry in TABLE {
        let path = &contract["paths"][entry.path.replace(":.*}", "}")];
        let is_any = path[method(entry).to_lowercase()]["x-any-method"] == true;
        assert_eq!(is_any, entry.method == "ANY", "{}", entry.path);
    }
    assert_eq!(contract["openapi"], "3.1.0");
    assert_eq!(contract["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_reference_leads_somewhere_and_every_required_name_is_a_name() {
    let contract = contract();
    each_value(&contract, &mut |value| {
        resolved(&contract, value);
        // YAML reads a bare `n` or `y` as a truth value, and both are members of a key.
        if let Some(Value::Array(names)) = value.get("required") {
            assert!(names.iter().all(Value::is_string), "{names:?}");
        }
    });
}

#[test]
fn every_operation_is_described_with_examples() {
    let contract = contract();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&contract) {
        let at = format!("{method} {path}");
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{at}: no name"));
        assert!(names.insert(name), "{at}: `{name}` is taken");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at}");
        assert!(operation["security"].is_array(), "{at}: say who may");

        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for parameter in parameters {
            let parameter = resolved(&contract, parameter);
            assert!(has_example(parameter), "{at}: {}", parameter["name"]);
        }
        let request = operation["requestBody"]["content"].as_object();
        for (media_type, media) in request.into_iter().flatten() {
            assert!(has_example(media), "{at}: the request as {media_type}");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&contract, response);
            assert!(response["description"].is_string(), "{at}: {status}");
            for (media_type, media) in response["content"].as_object().into_iter().flatten() {
                assert!(has_example(media), "{at}: {status} as {media_type}");
            }
        }
    }
}

#[test]
fn every_refusal_has_the_shape_of_one_and_the_headers_that_it_demands() {
    let contract = contract();
    let demanded = [
        ("401", "WWW-Authenticate"),
        ("405", "Allow"),
        ("429", "Retry-After"),
        ("503", "Retry-After"),
    ];
    for (method, path, operation) in operations(&contract) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&contract, response);
            let shape = &response["content"]["application/json"]["schema"]["$ref"];
            let is_report = shape == "#/components/schemas/Status"; // how the server is: no refusal
            if !status.starts_with(['4', '5']) || is_report {
                continue;
            }
            let at = format!("{method} {path}: {status}");
            assert_eq!(shape, "#/components/schemas/Error", "{at}");
            for (when, header) in demanded {
                if status == when {
                    assert!(response["headers"].get(header).is_some(), "{at}: no {header}");
                }
            }
            let example = response["content"]["application/json"].get("example");
            if let Some(example) = example {
                assert_eq!(example["statusCode"].to_string(), *status, "{at}");
                assert_eq!(example["message"], example["error_description"], "{at}");
            }
        }
    }
}

#[test]
fn what_every_route_refuses_is_said_of_every_route() {
    let contract = contract();
    for (method, path, operation) in operations(&contract) {
        let with_body = operation.get("requestBody").map(|_| ["400", "413", "415"]);
        let other_method = (operation["x-any-method"] != true).then_some("405");
        let wanted = other_method.into_iter().chain(["431"]).chain(with_body.into_iter().flatten());
        for status in wanted {
            assert!(operation["responses"].get(status).is_some(), "{method} {path}: {status}");
        }
    }
}

#[actix_web::test]
async fn every_method_that_is_allowed_is_known() {
    let server = Server::start().await;
    for entry in TABLE.iter().filter(|entry| entry.method != "ANY") {
        let path = entry.path.replace("{client_id}", "nobody").replace("{file:.*}", "index.html");
        let path = path.replace("{credential_id}", "none");
        let url = format!("{}{path}", server.url);
        let unknown = server.http.request("PROPFIND".parse().unwrap(), &url);
        let refused = server.send(unknown).await;
        assert_eq!((refused.status, refused.error()), (405, Some("invalid_request")), "{path}");
        for method in refused.header("allow").unwrap().split(", ") {
            let request = server.http.request(method.parse().unwrap(), &url);
            let reply = server.send(request).await;
            assert_ne!(reply.status, 405, "{method} {path}");
            assert!(method != "HEAD" || reply.text.is_empty(), "{path}");
        }
    }
}

#[actix_web::test]
async fn the_contract_is_served_with_the_url_of_this_server() {
    let server = Server::with(|settings| {
        settings.identity.public_url = Some("https://auth.example/".parse().unwrap());
    })
    .await;
    let reply = server.get("/documentation/json").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["servers"][0]["url"], "https://auth.example");

    let mut expected = contract();
    expected["servers"] = reply.body["servers"].clone();
    *expected.pointer_mut(TOKEN_URL).unwrap() = "https://auth.example/oauth/token".into();
    assert_eq!(reply.body, expected);
}

/// The page fetches a token by itself: wherever a token is asked for, one so fetched is good.
#[test]
fn oas_4_8_30_a_fetched_token_is_as_good_as_a_pasted_one() {
    let contract = contract();
    for (method, path, operation) in operations(&contract) {
        let has = |scheme: &str| {
            let ways = operation["security"].as_array().unwrap();
            ways.iter().any(|way| way.get(scheme).is_some())
        };
        assert_eq!(has("accessToken"), has("clientCredentials"), "{method} {path}");
    }
    let flow = &contract["components"]["securitySchemes"]["clientCredentials"];
    assert_eq!(flow["type"], "oauth2");
    assert_eq!(contract.pointer(TOKEN_URL).unwrap(), "http://localhost:8080/oauth/token");
}

/// The members that a schema names, those of the schemas it is made of among them.
fn members<'a>(contract: &'a Value, schema: &'a Value) -> BTreeSet<&'a str> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut found: BTreeSet<&str> = own.map(|(name, _)| name.as_str()).collect();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    for part in parts.chain(schema.get("$ref").map(|_| resolved(contract, schema))) {
        found.extend(members(contract, resolved(contract, part)));
    }
    found
}

/// What is answered to an administrator, warnings and all, has no member that the contract is silent
/// about; nor has a record.
#[actix_web::test]
async fn answers_have_the_members_that_the_contract_names() {
    let server = Server::start().await;
    let contract = contract();
    let known = |schema: &str, body: &Value| {
        let schema = &contract["components"]["schemas"][schema];
        let named = members(&contract, schema);
        for name in body.as_object().unwrap().keys() {
            assert!(named.contains(name.as_str()), "`{name}` of {body}");
        }
    };
    let key = client_key(Algorithm::RS256).public().to_json();
    let jwks = json!({ "keys": [key, { "kty": "EC", "crv": "P-999", "kid": "x" }] });
    let metadata = json!({
        "client_name": "svc", "token_endpoint_auth_method": "private_key_jwt", "scope": "a b",
        "jwks": jwks, "permissions": ["p"], "audience": ["api"],
        "token_endpoint_auth_signing_alg": "RS256", "legacyAudience": 4_102_444_800_u64,
    });
    let created = server.create_client(metadata.clone()).await;
    assert!(created.body["warnings"].is_array(), "{created:?}");
    known("CreatedClient", &created.body);
    let path = format!("/clients/{}", created.text_of("client_id"));
    let regenerated =
        server.admin_post(&format!("{path}/regenerate"), &json!({ "jwks": jwks })).await;
    assert_eq!(regenerated.status, 201, "{regenerated:?}");
    assert!(regenerated.body["warnings"].is_array(), "{regenerated:?}");
    known("RegeneratedClient", &regenerated.body);
    let id = regenerated.text_of("client_id");
    known("Client", &server.admin_get(&format!("/clients/{id}")).await.body);

    let token = server.token_by(&server.assertion(&id, client_key(Algorithm::RS256)), "").await;
    assert_eq!(token.body["scope"], "a b");
    known("TokenResponse", &token.body);
    let (own, secret) = server.client_with_secret().await;
    let issued = server.token_of(&(own.clone(), secret.clone())).await;
    let form = format!("token={issued}");
    let revoked = server.form("/oauth/revoke", Some((&own, &secret)), &form).await;
    assert_eq!(revoked.status, 200);
    let records = server.admin_get("/audit?action=tokens.revoked").await.body;
    let record = &records["records"][0];
    known("AuditRecord", record);
    assert!(record["after"]["covers_until"].is_u64(), "{record}");
    let after = &contract["components"]["schemas"]["AuditRecord"]["properties"]["after"];
    assert!(members(&contract, after).contains("covers_until"));
}

#[actix_web::test]
async fn a_prefix_and_a_second_listener_are_in_the_contract() {
    let server = Server::with(|settings| {
        settings.identity.public_url = Some("https://auth.example".parse().unwrap());
        settings.listen.service_prefix = "/cc".to_owned();
        settings.listen.admin_address = Some("127.0.0.1:0".parse().unwrap());
        settings.gateways.address = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let admin = server.admin_url.clone().unwrap();
    let gateways = format!("{}/cc", server.gateway_url.as_ref().unwrap());
    let reply = server.send(server.http.get(format!("{admin}/documentation/json"))).await;
    #[rustfmt::skip]
    let cases = [
        ("under the prefix",                   "/oauth/token",           "https://auth.example/cc"),
        ("under the prefix, for admins",       "/clients",               "/cc"),
        ("at the root, for admins",            "/-/metrics",             "/"),
        ("a path with a parameter, for admins", "/documentation/{file}", "/"),
        ("under the prefix, for gateways",     "/auth",                  &*gateways),
    ];
    for (why, path, url) in cases {
        assert_eq!(reply.body["paths"][path]["servers"][0]["url"], url, "{why}");
    }
    assert_eq!(reply.body["servers"][0]["url"], "https://auth.example");
    assert!(reply.body["paths"]["/-/healthz"].get("servers").is_none());
    let status = server.send(server.http.get(format!("{admin}/cc/clients"))).await.status;
    assert_eq!(status, 401, "the URL that the contract gives is real");

    let metadata = server.get("/.well-known/oauth-authorization-server").await;
    assert!(metadata.body.get("service_documentation").is_none(), "it is not on this listener");
}

#[actix_web::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = server.get("/documentation").await;
    assert_eq!((page.status, page.header("location")), (308, Some("/documentation/")));

    let page = server.get("/documentation/").await;
    assert_eq!(page.status, 200);
    let loaded: Vec<&str> = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| page.text.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(loaded.contains(&"./swagger-ui-bundle.js"), "{loaded:?}");
    for file in loaded {
        assert!(!file.contains("//") && !file.starts_with('/'), "{file}");
        let file = file.trim_start_matches("./");
        let reply = server.get(&format!("/documentation/{file}")).await;
        assert_eq!(reply.status, 200, "{file}");
        assert!(!reply.text.is_empty(), "{file}");
    }

    let script = server.get("/documentation/swagger-initializer.js").await.text;
    assert!(!script.contains("://"), "{script}");
    assert!(script.contains(r#""validatorUrl": "none""#), "{script}");
    assert!(script.contains("./json"), "{script}");
    assert_eq!(server.get("/documentation/no-such-file").await.status, 404);
}
