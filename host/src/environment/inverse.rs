//! What puts a change back.

use serde::{Deserialize, Serialize};

use super::Quota;

/// The inverse of one mutating call, as the journal holds it: complete in itself, so that another
/// process can carry it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Inverse {
    Release { instance: String },
    SetSchedulable { node: String, schedulable: bool },
    RestoreNode { node: String },
    Heal { id: String },
    Scale { workload: String, replicas: u32 },
    SetQuota { group: String, quota: Quota },
}
