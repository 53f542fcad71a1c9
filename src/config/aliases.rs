//! Names of settings that another platform has.

/// Names in the environment of the platform that many come from, and what they are called here.
pub(super) const ALIASES: [(&str, &str); 17] = [
    ("ACCEPTED_AUDIENCES", "accepted_audiences"),
    ("AUTHORIZATION_STRICT_MODE_ENABLED", "auth_strict"),
    ("BACKOFFICE_HEADER_KEY", "backoffice_header"),
    ("CLIENT_TYPE_HEADER_KEY", "client_type_header"),
    ("CLOCK_SKEW_SECONDS", "clock_skew"),
    ("DELAY_SHUTDOWN_SECONDS", "shutdown_delay"),
    ("HTTP_PORT", "listen"),
    ("LOG_LEVEL", "log_level"),
    ("MIA_JWT_EXPIRES_IN", "token_lifetime"),
    ("MIA_JWT_ISSUER", "issuer"),
    ("OPENID_CONFIG_PATH", "openid_configuration_file"),
    ("PRIVATE_KEY_PASSWORD", "signing_key_password"),
    ("PRIVATE_RSA_KEY_FILE_PATH", "signing_key_file"),
    ("PRIVATE_RSA_KEY_ID", "signing_key_id"),
    ("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "require_audience"),
    ("SERVICE_PREFIX", "service_prefix"),
    ("USER_PROPERTIES_TO_PROXY", "user_properties"),
];

/// The value of an alias, as the setting is written here.
pub(super) fn translated(alias: &str, value: String) -> String {
    match (alias, value.as_str()) {
        ("HTTP_PORT", port) => format!("0.0.0.0:{port}"),
        ("LOG_LEVEL", "fatal") => "error".to_owned(),
        ("LOG_LEVEL", "silent") => "off".to_owned(),
        _ => value,
    }
}
