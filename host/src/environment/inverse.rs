//! What puts a change back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectReference, Quota};

/// The inverse of one mutating call, as the journal holds it: complete in itself, so that another
/// process can carry it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Inverse {
    Release {
        instance: String,
    },
    SetSchedulable {
        node: String,
        schedulable: bool,
    },
    RestoreNode {
        node: String,
    },
    Heal {
        id: String,
    },
    Scale {
        workload: String,
        replicas: u32,
    },
    SetQuota {
        group: String,
        quota: Quota,
    },
    /// A merge patch with what the patched fields were before.
    Patch {
        object: ObjectReference,
        before: serde_json::Value,
    },
    /// Of an object that the run created.
    Delete {
        object: ObjectReference,
    },
}

/// What was undone, for people.
impl fmt::Display for Inverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { instance } => write!(f, "'{instance}' released"),
            Self::SetSchedulable { node, schedulable: true } => {
                write!(f, "node '{node}' takes instances again")
            }
            Self::SetSchedulable { node, schedulable: false } => write!(f, "node '{node}' cordoned again"),
            Self::RestoreNode { node } => write!(f, "node '{node}' restored"),
            Self::Heal { id } => write!(f, "isolation '{id}' healed"),
            Self::Scale { workload, replicas } => write!(f, "'{workload}' scaled back to {replicas}"),
            Self::SetQuota { group, .. } => write!(f, "limits of group '{group}' as before"),
            Self::Patch { object, .. } => write!(f, "{object} patched back"),
            Self::Delete { object } => write!(f, "{object} deleted"),
        }
    }
}
