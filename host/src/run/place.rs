//! Where a run happens: makes the environment that the config names, or attaches to it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::{Credential, EnvironmentKind, RunConfig},
    environment::{
        Elsewhere, Environment,
        lab::{Lab, LabOptions, Stack},
    },
    observe::Stream,
};

/// An environment, and the credentials that hold in it.
pub struct Place {
    pub environment: Arc<dyn Environment>,
    pub credentials: Arc<BTreeMap<String, Credential>>,
}
