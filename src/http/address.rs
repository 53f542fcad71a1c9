//! From which address a request comes.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

/// The address of the caller: of the socket, or what a trusted proxy says. A header alone is never
/// believed: of the chain it names, the last address that is no proxy of ours counts.
pub(super) fn caller(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    Some(behind(peer, request.headers(), trusted))
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_proxy(&peer) {
        return peer;
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").filter_map(|line| line.to_str().ok()).collect();
    let mut nearest = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !is_proxy(&nearest) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        #[rustfmt::skip]
        let cases = [
            ("no proxy",           "192.0.2.1", &["198.51.100.1"][..],             "192.0.2.1"),
            ("proxy",              "10.0.0.1",  &["198.51.100.1"],                 "198.51.100.1"),
            ("invented by caller", "10.0.0.1",  &["203.0.113.9, 198.51.100.1"],    "198.51.100.1"),
            ("two proxies",        "10.0.0.1",  &["198.51.100.1, 10.0.0.2"],       "198.51.100.1"),
            ("two lines",          "10.0.0.1",  &["203.0.113.9", "198.51.100.1"],  "198.51.100.1"),
            ("no address in it",   "10.0.0.1",  &["198.51.100.1, unknown"],        "10.0.0.1"),
            ("no header",          "10.0.0.1",  &[],                               "10.0.0.1"),
        ];
        for (why, peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                let name = HeaderName::from_static("x-forwarded-for");
                headers.append(name, HeaderValue::from_str(line).unwrap());
            }
            let address = behind(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{why}");
        }
    }
}
