//! How somebody ends whom others are to take over from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::Manner;

/// How a primary ends. In a run config it is `"crash"` or `"freeze"`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// All its processes end at once.
    #[default]
    Crash,
    /// All its processes stop and keep their connections: it hangs.
    Freeze,
}

impl End {
    /// As [`crate::cluster::terminate`] takes it.
    pub fn how(self) -> Manner {
        match self {
            End::Crash => Manner::Crash,
            End::Freeze => Manner::Freeze,
        }
    }
}
