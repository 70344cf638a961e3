//! Stretches of a run, by name.

use std::fmt;

use super::quantity::{Quantity, Written, quantity};
use crate::observations::Span;

/// Which stretch of the run is looked at, written as `"whole"`, `"outside-faults"`, `"phase:NAME"` or
/// `"fault:NAME"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// From the first phase's start to the last one's end.
    Whole,
    /// The whole, without what lies between a fault's strike and the first steady check after its
    /// revert.
    OutsideFaults,
    /// One phase.
    Phase(String),
    /// What one fault took, from its strike to the first steady check after its revert.
    Fault(String),
}

impl Stretch {
    /// As the observations want it.
    pub fn span(&self) -> Span {
        match self {
            Stretch::Whole => Span::Whole,
            Stretch::OutsideFaults => Span::OutsideFaults,
            Stretch::Phase(name) => Span::Phase(name.clone()),
            Stretch::Fault(name) => Span::Fault(name.clone()),
        }
    }

    /// For sentences: "outside faults", "in phase peak".
    pub fn words(&self) -> String {
        match self {
            Stretch::Whole => "over the whole run".to_owned(),
            Stretch::OutsideFaults => "outside faults".to_owned(),
            Stretch::Phase(name) => format!("in phase {name}"),
            Stretch::Fault(name) => format!("during fault {name}"),
        }
    }
}

impl Quantity for Stretch {
    const EXPECTING: &'static str = r#""whole", "outside-faults", "phase:NAME" or "fault:NAME""#;

    fn parse(written: Written<'_>) -> Option<Stretch> {
        let Written::Text(text) = written else { return None };
        match text.split_once(':') {
            None if text == "whole" => Some(Stretch::Whole),
            None if text == "outside-faults" => Some(Stretch::OutsideFaults),
            Some(("phase", name)) if !name.is_empty() => Some(Stretch::Phase(name.to_owned())),
            Some(("fault", name)) if !name.is_empty() => Some(Stretch::Fault(name.to_owned())),
            _ => None,
        }
    }
}

quantity!(Stretch, {
    "type": "string",
    "format": "assay-stretch",
    "pattern": "^(whole|outside-faults|(phase|fault):.+)$",
    "description": "A stretch of the run: \"whole\", \"outside-faults\", \"phase:NAME\" or \"fault:NAME\".",
});

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stretch::Whole => f.write_str("whole"),
            Stretch::OutsideFaults => f.write_str("outside-faults"),
            Stretch::Phase(name) => write!(f, "phase:{name}"),
            Stretch::Fault(name) => write!(f, "fault:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_people_write() {
        for text in ["whole", "outside-faults", "phase:peak", "fault:postgres-primary"] {
            assert_eq!(text.parse::<Stretch>().expect(text).to_string(), text);
        }
        for text in ["", "phase:", "phases:peak", "inside-faults"] {
            assert!(text.parse::<Stretch>().is_err(), "{text}");
        }
    }
}
