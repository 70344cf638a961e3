//! Who is the primary? Asked of each database itself.

use assay_sdk::cluster::Instance;
use assay_sdk::prelude::*;
use assay_sdk::sql::Database;

use crate::config::Config;

/// The timeline is in the name of the file that is being written, which only a primary has.
pub(crate) const ROLE: &str = "select pg_is_in_recovery(), case when pg_is_in_recovery() then null \
     else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end";

/// What an instance says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    /// It accepts writes, on this timeline: every promotion begins a higher one.
    Primary {
        timeline: u64,
    },
    Standby,
    /// Nobody answered, or not this question.
    Unknown {
        because: Failure,
    },
}

impl Role {
    /// Completes a sentence that begins with the instance's name.
    pub(crate) fn words(&self) -> String {
        match self {
            Role::Primary { timeline } => format!("is the primary on timeline {timeline}"),
            Role::Standby => "is in recovery".to_owned(),
            Role::Unknown { because } => format!("does not answer ({because})"),
        }
    }
}

pub(crate) fn ask(database: &Database) -> Role {
    role(database).unwrap_or_else(|because| Role::Unknown { because })
}

/// Asks every instance, by its name. One that cannot answer is not asked.
pub(crate) fn ask_all(config: &Config, instances: &[Instance]) -> Vec<(String, Role)> {
    let ask_one = |instance: &Instance| match instance.runs() {
        true => ask(&config.database(&instance.name)),
        false => Role::Unknown { because: Failure::Unreachable("it is not running".to_owned()) },
    };
    instances.iter().map(|instance| (instance.name.clone(), ask_one(instance))).collect()
}

fn role(database: &Database) -> Result<Role> {
    let rows = database.query(ROLE, &[])?;
    let row = rows.only()?;
    if row.boolean(0)? {
        return Ok(Role::Standby);
    }
    let timeline = row.text(1)?;
    u64::from_str_radix(timeline, 16)
        .map(|timeline| Role::Primary { timeline })
        .map_err(|_| Failure::Invalid(format!("`{timeline}` is no timeline")))
}
