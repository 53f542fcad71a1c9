//! What the table of routes says of each.

use actix_web::Route;

/// One route.
pub struct Entry {
    /// The method; `ANY` if it is the same by each.
    pub method: &'static str,
    /// The path, as it is documented.
    pub path: &'static str,
    /// On which listener, and under which prefix.
    pub at: Where,
    pub(super) handler: fn(Route) -> Route,
}

/// Where a route is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Where {
    /// With the main routes, under the service prefix.
    Service,
    /// At the root and under the service prefix.
    RootAndService,
    /// At the root of every listener, whatever the prefix is.
    Status,
    /// On the admin's listener if there is one, under the service prefix.
    Admin,
    /// On the admin's listener if there is one, at the root.
    AdminRoot,
    /// On the gateways' listener if there is one, under the service prefix.
    Gateway,
}

impl Entry {
    /// Whether a request may write something that must be in force in this process too. Issuing a token
    /// and asking about one do not. The first use of a new registration access token ends the previous
    /// one, so its GET may write.
    pub(super) fn may_write(&self) -> bool {
        let only_asks = self.path.starts_with("/access/")
            || ["/oauth/token", "/oauth/introspect", "/oauth/authorize"].contains(&self.path);
        match self.method {
            "GET" => self.path.starts_with("/register/"),
            _ => self.at != Where::Gateway && !only_asks,
        }
    }

    /// Whether the path with a slash behind it is the same route. Below the gateways' every path is
    /// another question.
    pub(super) fn may_end_in_slash(&self) -> bool {
        self.at != Where::Gateway && !self.path.ends_with(".*}")
    }
}
