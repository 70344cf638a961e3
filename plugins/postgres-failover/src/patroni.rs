//! What Patroni knows: who holds the leader's lock.

use std::time::Duration;

use assay_sdk::cluster::Instance;
use assay_sdk::prelude::*;
use serde::Deserialize;

/// Patroni's REST interface on the survivors.
pub(crate) struct Patroni {
    port: u16,
    /// Without a grant there is no use in asking again.
    denied: bool,
}

/// An answer of `GET /cluster`, as far as it matters.
#[derive(Deserialize)]
struct Cluster {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    name: String,
    role: String,
    #[serde(default)]
    host: Option<String>,
}

impl Patroni {
    pub(crate) fn new(port: u16) -> Patroni {
        Patroni { port, denied: false }
    }

    /// Asks the survivors whether the victim has lost the leader's lock, and answers who said so and
    /// what.
    pub(crate) fn noticed(
        &mut self,
        survivors: &[Instance],
        victim: &str,
        victim_address: Option<&str>,
    ) -> Option<String> {
        if self.denied {
            return None;
        }
        for survivor in survivors {
            let Some(address) = &survivor.address else { continue };
            let members = match self.members(address) {
                Ok(members) => members,
                Err(failure @ Failure::Denied(_)) => {
                    log::warn(&format!("the step `detected` will be missing: {failure}"));
                    self.denied = true;
                    return None;
                }
                Err(_) => continue,
            };
            // Before version 4 of Patroni the word was `master`.
            let leader =
                members.iter().find(|it| matches!(it.role.as_str(), "leader" | "master" | "primary"));
            match leader {
                None => return Some(format!("{} sees no leader", survivor.name)),
                Some(leader) => {
                    let same_address = leader.host.is_some() && leader.host.as_deref() == victim_address;
                    if leader.name != victim && !same_address {
                        return Some(format!("{} sees {} as the leader", survivor.name, leader.name));
                    }
                }
            }
        }
        None
    }

    fn members(&self, address: &str) -> Result<Vec<Member>> {
        let url = format!("http://{address}:{}/cluster", self.port);
        let answer = http::get(url).timeout(Duration::from_secs(1)).send()?.expected()?;
        Ok(answer.json::<Cluster>()?.members)
    }
}
