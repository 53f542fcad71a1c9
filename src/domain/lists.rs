//! Lists that callers choose: how long they may be, and each item once.

use std::hash::Hash;

use indexmap::IndexSet;

/// How many items the lists of a token request, and of what an administrator grants, may have.
///
/// A longer list that another tool stored stays as it is, and its client goes on working.
#[derive(Clone, Copy, Debug)]
pub struct ListLimits {
    /// Audiences.
    pub audiences: usize,
    /// Tokens of a scope.
    pub scopes: usize,
    /// Permissions.
    pub permissions: usize,
    /// Groups.
    pub groups: usize,
}

impl ListLimits {
    /// The limits unless an operator sets others.
    pub const DEFAULT: Self = Self { audiences: 64, scopes: 256, permissions: 256, groups: 64 };
}

/// Each item once, where it is first. The cost grows with the list and not with its square.
#[must_use]
pub fn unique<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().collect::<IndexSet<T>>().into_iter().collect()
}

/// The items of a list that is written with spaces between them.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use proptest::prelude::*;

    use super::*;

    /// An item that counts how often one is compared with another.
    #[derive(Debug)]
    struct Counted<'a>(u16, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted<'_> {}

    impl Hash for Counted<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    proptest! {
        #[test]
        fn the_cost_of_a_list_does_not_grow_with_its_square(
            list in prop::collection::vec(0..2000_u16, 0..600),
        ) {
            let compared = Cell::new(0);
            let once = unique(list.iter().map(|item| Counted(*item, &compared)));

            // A comparison for each repetition, and the rare one for hashes that look alike.
            prop_assert!(compared.get() <= 2 * list.len() + 64, "{} comparisons", compared.get());
            let mut expected: Vec<u16> = Vec::new();
            for item in list {
                if !expected.contains(&item) {
                    expected.push(item);
                }
            }
            prop_assert_eq!(once.iter().map(|item| item.0).collect::<Vec<_>>(), expected);
        }
    }
}
