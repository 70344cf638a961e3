//! How many connections a PostgreSQL takes, and what one has to say to be counted.

use assay_sdk::prelude::*;

/// What it allows, what is taken, and who asks.
pub(crate) const ROOM: &str = "select current_setting('max_connections')::int, \
     (select count(*) from pg_stat_activity where datid is not null), current_user::text";

/// Only a primary; on a standby the application has nothing to lose.
pub(crate) const ACCEPTS_WRITES: &str = "select not pg_is_in_recovery()";

/// Ends the connection that asks, so that the next question needs a new one.
pub(crate) const HANG_UP: &str = "select pg_terminate_backend(pg_backend_pid())";

/// The code of "too many clients" and of "remaining connection slots are reserved".
const REFUSED: &str = "53300";

/// More than there is room for, so that one that is given back does not stay free.
const MORE: i64 = 3;

pub(crate) struct Room {
    pub(crate) most: i64,
    pub(crate) taken: i64,
    user: String,
}

impl Room {
    pub(crate) fn of(database: &sql::Database) -> Result<Room> {
        let rows = database.query(ROOM, &[])?;
        let row = rows.only()?;
        Ok(Room { most: row.integer(0)?, taken: row.integer(1)?, user: row.text(2)?.to_owned() })
    }

    /// How many connections take all that is left.
    pub(crate) fn to_open(&self) -> i64 {
        (self.most - self.taken).max(0) + MORE
    }

    /// The first message of a connection, as `printf` reads it. The server gives the connection its place
    /// and asks for a password, for which it waits: a minute, unless it is set up otherwise.
    pub(crate) fn greeting(&self, database: &str) -> String {
        let mut message = vec![0, 3, 0, 0];
        for word in ["user", &self.user, "database", database] {
            message.extend_from_slice(word.as_bytes());
            message.push(0);
        }
        message.push(0);
        let length = u32::try_from(message.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
        length.iter().chain(&message).map(|byte| format!("\\{byte:03o}")).collect()
    }
}

/// Is a new connection refused? Answers what was said.
pub(crate) fn is_refused(database: &sql::Database) -> Result<bool, Failure> {
    // Whatever comes of it, the connection is gone.
    let _gone = database.query(HANG_UP, &[]);
    match database.query("select 1", &[]) {
        Ok(_) => Ok(false),
        Err(Failure::Unreachable(said)) if said.contains(REFUSED) => Ok(true),
        Err(other) => Err(other),
    }
}
