//! Who is who: a name outlives the one that bears it.

use serde::{Deserialize, Serialize};

use super::{Instance, Manner};
use crate::failure::Result;

/// One instance between two of its starts. A supervisor that brings it back gives its name to another
/// one, or starts it anew; both are no longer the one that was aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Identity {
    /// The instance's name.
    pub name: String,
    /// Changes when it is recreated.
    pub uid: String,
    /// Counts its starts in place.
    pub restarts: u32,
}

impl From<&Instance> for Identity {
    fn from(instance: &Instance) -> Identity {
        let Instance { name, uid, restarts, .. } = instance;
        Identity { name: name.clone(), uid: uid.clone(), restarts: *restarts }
    }
}

impl Identity {
    /// Is this the very one, never started anew?
    pub fn is(&self, instance: &Instance) -> bool {
        *self == Identity::from(instance)
    }

    /// What has become of it, if it is not among these as it was: "web-0 is gone" or "web-0 was started
    /// anew since".
    pub fn fate(&self, among: &[Instance]) -> Option<String> {
        match among.iter().find(|each| each.name == self.name) {
            None => Some(format!("{} is gone", self.name)),
            Some(now) if !self.is(now) => Some(format!("{} was started anew since", self.name)),
            Some(_) => None,
        }
    }

    /// Ends it as [`super::terminate`] does, or with `hold` as [`super::terminate_and_hold`] does.
    ///
    /// # Errors
    ///
    /// As theirs: `conflict` if the name now belongs to an instance with another uid. One that was
    /// started anew in place is ended.
    pub fn terminate(&self, how: Manner, hold: bool) -> Result<String> {
        let end = if hold { super::terminate_and_hold } else { super::terminate };
        end(&self.name, &self.uid, how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn a_name_alone_is_nobody() {
        let was = fake::instance("web-0", "app=web");
        let identity = Identity::from(&was);
        let recreated = Instance { uid: "another".to_owned(), ..was.clone() };
        let restarted = Instance { restarts: 1, ..was.clone() };
        assert_eq!(identity.fate(&[fake::instance("web-1", "app=web"), was]), None);
        assert_eq!(identity.fate(&[]).as_deref(), Some("web-0 is gone"));
        for other in [recreated, restarted] {
            assert!(!identity.is(&other));
            assert_eq!(identity.fate(&[other]).as_deref(), Some("web-0 was started anew since"));
        }
    }
}
