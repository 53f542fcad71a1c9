//! How many connections the limit on file descriptors leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the database, for files and for what this server fetches itself.
const RESERVE: u64 = 128;
/// The default where the limit is higher, or there is none: each connection costs memory too.
const MOST: u64 = 16_384;

/// The bound on connections where none is set. The limit on file descriptors is raised as far as it may be.
#[must_use]
pub fn default_bound() -> usize {
    bound(raised_limit())
}

/// The limit on file descriptors, after it was raised as far as this process may.
fn raised_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

fn bound(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(u64::MAX);
    let reserve = RESERVE.max(limit / 8);
    // With very few descriptors there is no right answer; a quarter of them leaves the most room.
    let bound = limit.saturating_sub(reserve).max(limit / 4).clamp(1, MOST);
    usize::try_from(bound).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept() {
        for (limit, connections) in [
            (Some(0), 1),
            (Some(64), 16),
            (Some(160), 40),
            (Some(300), 172),
            (Some(1024), 896),
            (Some(4096), 3584),
            (Some(1_048_576), 16_384),
            (None, 16_384),
        ] {
            assert_eq!(bound(limit), connections, "{limit:?}");
        }
    }
}
