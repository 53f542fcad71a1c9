//! How large a token may be: what is issued, every route takes that judges tokens.

/// The longest JWT that is looked at, in bytes.
pub const LONGEST: usize = 32 * 1024;

/// The longest token that the gateways of `deploy/gateways/` take as they are set up, in bytes.
pub const OF_GATEWAYS: usize = 8 * 1024;

/// How much of a request header is for what comes with the token.
const BESIDE: usize = 2 * 1024;

/// The longest token for which there is room in a request header of this size, in bytes.
#[must_use]
pub fn longest_in(header_limit: usize) -> usize {
    (header_limit - BESIDE.min(header_limit / 4)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leaves_room_in_a_header_and_is_never_longer_than_what_is_looked_at() {
        for (header, longest) in
            [(0, 0), (4_000, 3_000), (8_192, 6_144), (32_768, 30_720), (1 << 20, LONGEST)]
        {
            assert_eq!(longest_in(header), longest);
        }
    }
}
