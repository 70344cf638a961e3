//! Nodes as victims: who carries what, and whether the others have made up for it.

use serde::{Deserialize, Serialize};

use super::{Instance, Node, instances, nodes};
use crate::failure::{Failure, Result};
use crate::fault::Victim;
use crate::random;

/// A ready node and the selected instances on it that are ready.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// The node.
    pub node: Node,
    /// At least one, sorted by name.
    pub carried: Vec<Instance>,
}

/// The ready nodes that carry selected instances which are ready, sorted by name: what a fault of nodes
/// can choose its victim from. With a name, that node alone. Never empty.
///
/// # Errors
///
/// `not-found` if there is no such node.
pub fn carriers(selector: &str, name: Option<&str>) -> Result<Vec<Carrier>> {
    let mut ready = instances(selector)?;
    ready.retain(Instance::is_ready);
    ready.sort_by(|one, other| one.name.cmp(&other.name));
    let mut carriers: Vec<_> = nodes()?
        .into_iter()
        .filter(|node| node.ready && name.is_none_or(|name| node.name == name))
        .map(|node| {
            let carried = ready.iter().filter(|instance| instance.node == node.name).cloned().collect();
            Carrier { node, carried }
        })
        .filter(|carrier| !carrier.carried.is_empty())
        .collect();
    carriers.sort_by(|one, other| one.node.name.cmp(&other.node.name));
    if carriers.is_empty() {
        let which = name.map_or("no node".to_owned(), |name| format!("no node {name}"));
        return Err(Failure::NotFound(format!("{which} is ready and carries a ready {selector}")));
    }
    Ok(carriers)
}

impl Carrier {
    /// One of the [`carriers`], drawn by the run's seed.
    ///
    /// # Errors
    ///
    /// `not-found` if there is none.
    pub fn draw(selector: &str, name: Option<&str>) -> Result<Carrier> {
        let mut carriers = carriers(selector, name)?;
        Ok(carriers.swap_remove(random::index(carriers.len())))
    }

    /// The node as a victim, with what it carries.
    pub fn victim(&self) -> Victim {
        let names: Vec<_> = self.carried.iter().map(|instance| instance.name.as_str()).collect();
        Victim::new(&self.node.name, "node", format!("carries {}", names.join(", ")))
    }
}

/// What a node leaves behind when it is taken away: as many instances have to be ready on the other
/// nodes as were ready on all of them before.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Vacancy {
    /// The node's name.
    pub node: String,
    ready_before: usize,
}

impl Vacancy {
    /// Counts what is ready while the node is still there.
    ///
    /// # Errors
    ///
    /// As [`instances`].
    pub fn of(node: &Node, selector: &str) -> Result<Vacancy> {
        let ready_before = instances(selector)?.iter().filter(|each| each.is_ready()).count();
        Ok(Vacancy { node: node.name.clone(), ready_before })
    }

    /// How the others have made up for it, if they have: "2 are ready on other nodes, 2 on all before".
    ///
    /// # Errors
    ///
    /// As [`instances`].
    pub fn filled(&self, selector: &str) -> Result<Option<String>> {
        let elsewhere = |each: &&Instance| each.is_ready() && each.node != self.node;
        let ready = instances(selector)?.iter().filter(elsewhere).count();
        let before = self.ready_before;
        Ok((ready >= before).then(|| format!("{ready} are ready on other nodes, {before} on all before")))
    }
}
