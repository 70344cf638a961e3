//! Partitions: packets dropped at the bridge, by who is cut from whom.
//!
//! What is cut is kept as selectors, so that instances which start later are cut as well. All of it
//! is rendered into one table that replaces the one before; no cuts, no table.

use std::{collections::BTreeMap, fmt::Write as _};

use super::network::link;
use crate::environment::{Direction, Selector};

/// Name of the one table.
const TABLE: &str = "table bridge lab";

#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) victims: Selector,
    /// Absent means everyone.
    pub(super) peers: Option<Selector>,
    pub(super) direction: Direction,
}

/// The table for these cuts; `matching` answers which instances a selector means.
pub(super) fn rules(cuts: &BTreeMap<String, Cut>, matching: impl Fn(&Selector) -> Vec<usize>) -> String {
    // Deleting what is not there is an error, so it is made first.
    let mut script = format!("{TABLE}\ndelete {TABLE}\n");
    if cuts.is_empty() {
        return script;
    }
    let (mut forward, mut input, mut output) = (String::new(), String::new(), String::new());
    for cut in cuts.values() {
        let victims = set(matching(&cut.victims));
        let peers = cut.peers.as_ref().map(|peers| set(matching(peers)));
        let (Some(victims), None | Some(Some(_))) = (victims, &peers) else { continue };
        let egress = matches!(cut.direction, Direction::Egress | Direction::Both);
        let ingress = matches!(cut.direction, Direction::Ingress | Direction::Both);
        let add = |chain: &mut String, rule: String| chain.push_str(&format!("    {rule} drop\n"));
        match peers.flatten() {
            Some(peers) => {
                if egress {
                    add(&mut forward, format!("iifname {victims} oifname {peers}"));
                }
                if ingress {
                    add(&mut forward, format!("iifname {peers} oifname {victims}"));
                }
            }
            None => {
                if egress {
                    add(&mut forward, format!("iifname {victims}"));
                    add(&mut input, format!("iifname {victims}"));
                }
                if ingress {
                    add(&mut forward, format!("oifname {victims}"));
                    add(&mut output, format!("oifname {victims}"));
                }
            }
        }
    }
    let _written = writeln!(script, "{TABLE} {{");
    for (hook, rules) in [("forward", forward), ("input", input), ("output", output)] {
        let _written = writeln!(
            script,
            "  chain {hook} {{\n    type filter hook {hook} priority 0; policy accept;\n{rules}  }}"
        );
    }
    script.push_str("}\n");
    script
}

fn set(instances: Vec<usize>) -> Option<String> {
    let names: Vec<_> = instances.into_iter().map(|instance| format!("\"{}\"", link(instance))).collect();
    (!names.is_empty()).then(|| format!("{{ {} }}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(selector: &Selector) -> Vec<usize> {
        match selector.to_string().as_str() {
            "app=db" => vec![0, 1],
            "app=web" => vec![4],
            _ => Vec::new(),
        }
    }

    fn cut(victims: &str, peers: Option<&str>, direction: Direction) -> Cut {
        let selector = |text: &str| text.parse().expect("a selector");
        Cut { victims: selector(victims), peers: peers.map(selector), direction }
    }

    #[test]
    fn cuts_become_one_table() {
        let cuts = BTreeMap::from([
            ("a".to_owned(), cut("app=db", None, Direction::Both)),
            ("b".to_owned(), cut("app=web", Some("app=db"), Direction::Egress)),
            // Nobody is meant: a rule without names would be an error, and there is nothing to cut.
            ("c".to_owned(), cut("app=none", None, Direction::Both)),
            ("d".to_owned(), cut("app=web", Some("app=none"), Direction::Both)),
        ]);
        insta::assert_snapshot!(rules(&cuts, matching));
    }

    #[test]
    fn without_cuts_the_table_goes() {
        assert_eq!(rules(&BTreeMap::new(), matching), "table bridge lab\ndelete table bridge lab\n");
    }
}
