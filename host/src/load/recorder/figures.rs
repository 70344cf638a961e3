//! The plugins' own counters, checks and distributions.

use std::collections::{BTreeMap, BTreeSet};

use crate::observe::Sparse;

use super::{endpoints::OTHER, sparse::sparse};

/// Most names of a run, over all three kinds.
pub(super) const MOST: usize = 200;

/// Longest name kept, in bytes.
const LONGEST: usize = 200;

/// Figures between two foldings.
#[derive(Debug, Default)]
pub(super) struct Figures {
    counters: BTreeMap<String, f64>,
    checks: BTreeMap<String, (u64, u64)>,
    trends: BTreeMap<String, Vec<u64>>,
}

/// A second's figures as an interval has them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Folded {
    pub counters: Vec<(String, f64)>,
    pub checks: Vec<(String, u64, u64)>,
    pub trends: Vec<(String, Sparse)>,
}

impl Figures {
    pub(super) fn check(&mut self, name: &str, passed: bool) {
        let (passes, failures) = entry(&mut self.checks, name);
        *if passed { passes } else { failures } += 1;
    }

    pub(super) fn count(&mut self, name: &str, amount: f64) {
        *entry(&mut self.counters, name) += amount;
    }

    /// In thousandths.
    pub(super) fn trend(&mut self, name: &str, thousandths: u64) {
        entry(&mut self.trends, name).push(thousandths);
    }

    /// Adds what another has, and holds the bound on names. `known` are those of the run so far.
    /// Answers whether a name was left out.
    pub(super) fn absorb(&mut self, other: Self, known: &mut BTreeSet<String>) -> bool {
        let mut overflowed = false;
        let mut admit = |name: String| {
            if name == OTHER || known.contains(&name) || (known.len() < MOST && known.insert(name.clone())) {
                return name;
            }
            overflowed = true;
            OTHER.to_owned()
        };
        for (name, amount) in other.counters {
            *self.counters.entry(admit(name)).or_default() += amount;
        }
        for (name, (passes, failures)) in other.checks {
            let check = self.checks.entry(admit(name)).or_default();
            check.0 += passes;
            check.1 += failures;
        }
        for (name, mut values) in other.trends {
            self.trends.entry(admit(name)).or_default().append(&mut values);
        }
        overflowed
    }

    pub(super) fn fold(self) -> Folded {
        Folded {
            counters: self.counters.into_iter().collect(),
            checks: self
                .checks
                .into_iter()
                .map(|(name, (passes, failures))| (name, passes, failures))
                .collect(),
            trends: self.trends.into_iter().map(|(name, values)| (name, sparse(values))).collect(),
        }
    }
}

/// The entry of a name. A map that is full takes no new one, so that a plugin that makes up names
/// cannot fill the memory between two foldings.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    let name = &name[..name.floor_char_boundary(LONGEST)];
    let name = if map.len() <= MOST || map.contains_key(name) { name } else { OTHER };
    map.entry(name.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up() {
        let (mut first, mut second) = (Figures::default(), Figures::default());
        first.check("signed in", true);
        first.count("sold", 2.5);
        first.trend("basket", 3_000);
        second.check("signed in", false);
        second.count("sold", 1.0);
        second.trend("basket", 3_000);
        let mut known = BTreeSet::new();
        let mut all = Figures::default();
        assert!(!all.absorb(first, &mut known));
        assert!(!all.absorb(second, &mut known));
        assert_eq!(
            all.fold(),
            Folded {
                counters: vec![("sold".to_owned(), 3.5)],
                checks: vec![("signed in".to_owned(), 1, 1)],
                trends: vec![("basket".to_owned(), Sparse(vec![(3_000, 2)]))],
            }
        );
    }

    #[test]
    fn made_up_names_are_one() {
        let mut known = BTreeSet::new();
        let mut all = Figures::default();
        for round in 0..3 {
            let mut figures = Figures::default();
            for name in 0..1_000 {
                figures.count(&format!("{round}-{name}"), 1.0);
            }
            assert!(figures.counters.len() <= MOST + 2);
            assert!(all.absorb(figures, &mut known));
        }
        let counters = all.fold().counters;
        assert_eq!(counters.len(), MOST + 1);
        assert_eq!(counters.iter().map(|(_, amount)| amount).sum::<f64>(), 3_000.0);
    }
}
