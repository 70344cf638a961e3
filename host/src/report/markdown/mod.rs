//! `report.md`: the whole run on one page, the verdict first.

mod about;
mod promises;
mod recovery;
mod requests;
mod target;
mod text;
mod timeline;

use super::Summary;

/// The page.
pub(super) fn page(summary: &Summary) -> String {
    let sections = [
        about::title(summary),
        promises::section(summary),
        recovery::section(summary),
        requests::section(summary),
        target::section(summary),
        about::plugins(summary),
        about::findings(summary),
        about::generator(summary),
        about::how_to_read(),
    ];
    let sections: Vec<&str> =
        sections.iter().map(|section| section.trim_end()).filter(|section| !section.is_empty()).collect();
    sections.join("\n\n") + "\n"
}

/// Titles a piece of a section, unless the piece is empty.
fn titled(title: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{title}\n\n{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Fact, RunOutcome, fixtures};

    #[test]
    fn a_whole_run() {
        insta::assert_snapshot!(page(&Summary::of(&fixtures::observations())));
    }

    #[test]
    fn a_run_that_was_cut_off() {
        let mut events = fixtures::run();
        events.retain(|event| event.at < 42 * fixtures::S);
        insta::assert_snapshot!(page(&Summary::of(&fixtures::observed(&events))));
    }

    #[test]
    fn a_run_that_could_not_start() {
        let mut events = fixtures::run();
        events.truncate(5);
        let because = "http://10.1.0.2:8080/ refuses connections".to_owned();
        let fact = Fact::RunEnded { outcome: RunOutcome::NotReady, because };
        events.push(crate::observe::Event { at: 9 * fixtures::S, fact });
        let page = page(&Summary::of(&fixtures::observed(&events)));
        assert!(page.starts_with("# two-phases: NOT READY\n\n**http://10.1.0.2:8080/ refuses connections**"));
    }
}
