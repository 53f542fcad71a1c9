//! Which addresses are public: a URL that a stranger gave must not lead into our own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

/// What is not the public internet:
/// [IANA's registry of special-purpose addresses](https://www.iana.org/assignments/iana-ipv4-special-registry),
/// and multicast.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // "this network", RFC 791
    v4(10, 0, 0, 0, 8),      // private, RFC 1918
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT, RFC 6598
    v4(127, 0, 0, 0, 8),     // loopback, RFC 1122
    v4(169, 254, 0, 0, 16),  // link-local, RFC 3927: clouds answer there with credentials
    v4(172, 16, 0, 0, 12),   // private, RFC 1918
    v4(192, 0, 0, 0, 24),    // protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),    // documentation, RFC 5737
    v4(192, 88, 99, 0, 24),  // 6to4 relays, RFC 7526
    v4(192, 168, 0, 0, 16),  // private, RFC 1918
    v4(198, 18, 0, 0, 15),   // benchmarks, RFC 2544
    v4(198, 51, 100, 0, 24), // documentation, RFC 5737
    v4(203, 0, 113, 0, 24),  // documentation, RFC 5737
    v4(224, 0, 0, 0, 4),     // multicast, RFC 1112
    v4(240, 0, 0, 0, 4),     // reserved, RFC 1112, and broadcast
];

/// Everything public is in here; IPv4-mapped, NAT64, unique-local, link-local, multicast and
/// loopback addresses are not.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// But these are not public either:
/// [IANA's registry for IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry).
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23), // protocol assignments, RFC 2928; Teredo, which holds an IPv4 address
    v6(0x2001, 0xdb8, 32), // documentation, RFC 3849
    v6(0x2002, 0, 16), // 6to4, RFC 3056, which holds an IPv4 address
    v6(0x3fff, 0, 20), // documentation, RFC 9637
];

/// Whether the address belongs to the public internet.
#[must_use]
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        #[rustfmt::skip]
        let cases = [
            ("public",                  "1.1.1.1",                 true),
            ("before private",          "9.255.255.255",           true),
            ("private",                 "10.0.0.0",                false),
            ("private, last",           "10.255.255.255",          false),
            ("after private",           "11.0.0.0",                true),
            ("unspecified",             "0.0.0.0",                 false),
            ("this network",            "0.1.2.3",                 false),
            ("before CGNAT",            "100.63.255.255",          true),
            ("CGNAT",                   "100.64.0.1",              false),
            ("CGNAT, last",             "100.127.255.255",         false),
            ("after CGNAT",             "100.128.0.0",             true),
            ("loopback",                "127.0.0.1",               false),
            ("loopback, last",          "127.255.255.255",         false),
            ("metadata of clouds",      "169.254.169.254",         false),
            ("before private",          "172.15.255.255",          true),
            ("private",                 "172.16.0.1",              false),
            ("private, last",           "172.31.255.255",          false),
            ("after private",           "172.32.0.0",              true),
            ("assignments",             "192.0.0.8",               false),
            ("documentation",           "192.0.2.1",               false),
            ("6to4 relay",              "192.88.99.1",             false),
            ("private",                 "192.168.1.1",             false),
            ("benchmarks",              "198.19.255.255",          false),
            ("documentation",           "198.51.100.7",            false),
            ("documentation",           "203.0.113.7",             false),
            ("multicast",               "224.0.0.1",               false),
            ("reserved",                "240.0.0.1",               false),
            ("broadcast",               "255.255.255.255",         false),
            ("public",                  "2606:4700:4700::1111",    true),
            ("public",                  "2a00:1450::1",            true),
            ("unspecified",             "::",                      false),
            ("loopback",                "::1",                     false),
            ("IPv4-mapped, private",    "::ffff:10.0.0.1",         false),
            ("IPv4-mapped, public",     "::ffff:1.1.1.1",          false),
            ("IPv4-compatible",         "::127.0.0.1",             false),
            ("NAT64",                   "64:ff9b::7f00:1",         false),
            ("NAT64, local",            "64:ff9b:1::a00:1",        false),
            ("discard",                 "100::1",                  false),
            ("Teredo",                  "2001:0:7f00:1::",         false),
            ("ORCHID",                  "2001:20::1",              false),
            ("documentation",           "2001:db8::1",             false),
            ("6to4 of loopback",        "2002:7f00:1::1",          false),
            ("documentation",           "3fff::1",                 false),
            ("segment routing",         "5f00::1",                 false),
            ("unique-local",            "fd00::1",                 false),
            ("unique-local, first",     "fc00::",                  false),
            ("link-local",              "fe80::1",                 false),
            ("site-local",              "fec0::1",                 false),
            ("multicast",               "ff02::1",                 false),
        ];
        for (why, address, public) in cases {
            assert_eq!(is_public(address.parse().unwrap()), public, "{why}: {address}");
        }
    }
}
