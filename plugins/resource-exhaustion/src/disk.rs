//! How much room a file system has, and whether it takes any more.

use assay_sdk::prelude::*;

use crate::config::Disk;
use crate::inside;

/// What every program is told that writes to a full one.
const FULL: &str = "No space left on device";

impl Disk {
    /// How many bytes it has room for.
    ///
    /// # Errors
    ///
    /// `conflict` if that is more than may be written.
    pub(crate) fn room(&self, instance: &str) -> Result<u64> {
        let answer = inside::run(instance, inside::ROOM, "room", &[&self.path])?;
        let room = answer.trim();
        let room: u64 = room
            .parse()
            .map_err(|_| Failure::other(format!("{instance} said '{room}' of the room at {}", self.path)))?;
        match room <= self.at_most.bytes() {
            true => Ok(room),
            false => Err(Failure::Conflict(format!(
                "{instance} has room for {} at {}, more than the {} that may be written: it would be its node's",
                Size::from_bytes(room),
                self.path,
                self.at_most
            ))),
        }
    }

    /// Is one more byte refused? Answers what was said, too.
    pub(crate) fn is_full(&self, instance: &str, mark: &str) -> Result<(bool, String)> {
        let path = &self.path;
        match inside::run(instance, inside::ONE_MORE, mark, &[path]) {
            Ok(_) => Ok((false, format!("{path} of {instance} takes another byte"))),
            Err(failure) if failure.text().contains(FULL) => {
                Ok((true, format!("{path} of {instance} takes nothing more: {FULL}")))
            }
            Err(failure) => Ok((false, format!("{path} of {instance} was written to: {failure}"))),
        }
    }
}
