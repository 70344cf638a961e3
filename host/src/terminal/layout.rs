//! Lays the status out for a terminal of a certain width. No line is wider than it, so that nothing
//! wraps by itself and every line can be drawn over by the next status.

use super::status::Status;
use crate::observe::figures;

/// Longest bar, and the shortest that still says something.
const BAR: std::ops::RangeInclusive<usize> = 8..=40;

const BETWEEN: &str = " | ";

/// The status in lines of at most so many characters; at least one.
pub(super) fn lay_out(status: &Status, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = packed(&[course(status, width)], width);
    let parts: Vec<_> = status.faults.iter().chain(&status.load).cloned().collect();
    lines.extend(packed(&parts, width));
    lines
}

/// What is going on and, where that was planned, how far it is.
fn course(status: &Status, width: usize) -> String {
    let Some(course) = status.course else { return status.doing.clone() };
    let left = format!("{} left", figures::duration(course.left()));
    let room = width.saturating_sub(status.doing.chars().count() + left.chars().count() + " [] ".len());
    let length = room.min(*BAR.end());
    if length < *BAR.start() {
        return format!("{}, {left}", status.doing);
    }
    let done = course.elapsed.min(course.planned) as f64 / course.planned.max(1) as f64;
    let full = (done * length as f64) as usize;
    let head = if full < length { ">" } else { "" };
    format!("{} [{:<length$}] {left}", status.doing, "=".repeat(full) + head)
}

/// Parts side by side as far as they fit; one that is too long by itself is broken between words.
fn packed(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(last) if fits(last, BETWEEN, part, width) => *last += &format!("{BETWEEN}{part}"),
            _ => lines.extend(broken(part, width)),
        }
    }
    lines
}

fn broken(part: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in part.split(' ') {
        match lines.last_mut() {
            Some(last) if fits(last, " ", word, width) => *last += &format!(" {word}"),
            _ if word.chars().count() > width => {
                let cut: String = word.chars().take(width - 1).collect();
                lines.push(cut + "…");
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn fits(line: &str, between: &str, more: &str, width: usize) -> bool {
    [line, between, more].iter().map(|text| text.chars().count()).sum::<usize>() <= width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observe::fixtures::S,
        terminal::status::{Course, tests::at},
    };

    /// Amid an outage, with every error class that can be, on terminals of every width.
    fn worst() -> Status {
        let mut status = at(46 * S);
        let failed = "12.5 % FAILED: refused 90, timeout 1,204, connect-timeout 12, name-resolution 1";
        *status.load.last_mut().expect("a part") = failed.to_owned();
        status.faults.push("fault second-of-two-at-once for 3 s".to_owned());
        status
    }

    #[test]
    fn every_width_shows_all_of_it() {
        let shown: Vec<String> =
            [120, 80, 60, 40].map(|width| format!("{width}\n{}", lay_out(&worst(), width).join("\n"))).into();
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut bare = at(S);
        bare.doing = "ä".repeat(300);
        for status in [worst(), bare] {
            for width in 0..200 {
                let lines = lay_out(&status, width);
                assert!(!lines.is_empty());
                for line in lines {
                    assert!(line.chars().count() <= width.max(1), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn the_bar_fills_up_and_stops() {
        let mut status = at(20 * S);
        let bar = |status: &Status| course(status, 120).split(['[', ']']).nth(1).expect("a bar").to_owned();
        for (elapsed, full) in [(0, 0), (5, 20), (10, 40), (25, 40)] {
            status.course = Some(Course { elapsed: elapsed * S, planned: 10 * S });
            let bar = bar(&status);
            assert_eq!((bar.chars().count(), bar.matches('=').count()), (40, full), "{bar}");
        }
    }
}
