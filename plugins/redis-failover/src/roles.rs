//! Who is the master? Asked of each server itself.

use assay_sdk::cluster::{Instance, InstanceState};
use assay_sdk::prelude::*;
use assay_sdk::redis::Item;

use crate::config::Config;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    Master,
    Replica,
    /// Nobody answered, or not this question.
    Unknown {
        because: Failure,
    },
}

impl Role {
    /// Completes a sentence that begins with the instance's name.
    pub(crate) fn words(&self) -> String {
        match self {
            Role::Master => "is a master".to_owned(),
            Role::Replica => "is a replica".to_owned(),
            Role::Unknown { because } => format!("does not answer ({because})"),
        }
    }
}

pub(crate) fn ask(config: &Config, instance: &str) -> Role {
    let answer = config.server(instance).command(&["ROLE"]).and_then(|items| match items.first() {
        Some(Item::Text(role)) if role == "master" => Ok(Role::Master),
        Some(Item::Text(role)) if role == "slave" => Ok(Role::Replica),
        other => Err(Failure::Invalid(format!("`{other:?}` is no role"))),
    });
    answer.unwrap_or_else(|because| Role::Unknown { because })
}

/// Asks every instance, by its name. One that cannot answer is not asked.
pub(crate) fn ask_all(config: &Config, instances: &[Instance]) -> Vec<(String, Role)> {
    let ask_one = |instance: &Instance| match instance.state {
        InstanceState::Running | InstanceState::Ready => ask(config, &instance.name),
        InstanceState::Pending | InstanceState::Terminating | InstanceState::Ended => {
            Role::Unknown { because: Failure::Unreachable("it is not running".to_owned()) }
        }
    };
    instances.iter().map(|instance| (instance.name.clone(), ask_one(instance))).collect()
}
