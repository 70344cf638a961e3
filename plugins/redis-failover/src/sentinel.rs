//! What the Sentinels say: whom clients are sent to, and whether the old master is given up.

use assay_sdk::cluster::Instance;
use assay_sdk::prelude::*;
use assay_sdk::redis::Item;

use crate::config::Sentinel;

/// What one Sentinel says.
pub(crate) struct Opinion {
    pub(crate) sentinel: String,
    /// Host and flags of the master as it knows it.
    pub(crate) answer: Result<(String, String)>,
}

impl Opinion {
    /// Does it send clients to this instance?
    pub(crate) fn names(&self, instance: &Instance) -> bool {
        self.answer.as_ref().is_ok_and(|(host, _)| is(host, instance))
    }

    /// Does it agree with others that the master it knows is down?
    pub(crate) fn gave_up(&self) -> bool {
        self.answer.as_ref().is_ok_and(|(_, flags)| flags.split(',').any(|flag| flag == "o_down"))
    }

    pub(crate) fn words(&self) -> String {
        match &self.answer {
            Ok((host, _)) => format!("{} names {host}", self.sentinel),
            Err(because) => format!("{} does not answer ({because})", self.sentinel),
        }
    }
}

pub(crate) fn ask_all(sentinel: &Sentinel) -> Result<Vec<Opinion>> {
    let all = cluster::instances(&sentinel.selector)?;
    let ask = |instance: Instance| Opinion { answer: ask(sentinel, &instance.name), sentinel: instance.name };
    Ok(all.into_iter().map(ask).collect())
}

fn ask(sentinel: &Sentinel, instance: &str) -> Result<(String, String)> {
    let server = sentinel.server(instance);
    let strange = |items: &[Item]| Failure::Invalid(format!("`{items:?}` describes no master"));
    // What clients ask. It changes before the description does.
    let place = server.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &sentinel.master])?;
    let host = place.first().and_then(Item::as_text).ok_or_else(|| strange(&place))?;
    // Names and values in turn.
    let described = server.command(&["SENTINEL", "MASTER", &sentinel.master])?;
    let mut pairs = described.chunks_exact(2);
    let flags = pairs.find(|pair| pair[0].as_text() == Some("flags")).and_then(|pair| pair[1].as_text());
    let flags = flags.ok_or_else(|| strange(&described))?;
    Ok((host.to_owned(), flags.to_owned()))
}

/// Sentinels know addresses, or names that begin with the instance's: `redis-0.redis.shop.svc`.
fn is(host: &str, instance: &Instance) -> bool {
    let name = host.split('.').next().unwrap_or_default();
    instance.address.as_deref() == Some(host) || name == instance.name
}
