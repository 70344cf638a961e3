//! Faults, and the seconds that are theirs.

use super::*;
use crate::observe::{FaultChange, When};

#[test]
fn a_fault_is_told_whole() {
    let known = observations();
    let faults = known.faults();
    assert_eq!(faults.len(), 2);
    let store = &faults[0];
    assert_eq!(store.struck, Some(40 * S));
    assert_eq!(store.component_recovery(), Some(7 * S));
    assert_eq!(store.all_users().unwrap().outage, Outage::Ended(8 * S));
    assert!(store.unaided());
    assert!(!store.in_flight());
    assert_eq!(faults[1].struck, None);
    assert_eq!(faults[1].because, "the steady state did not hold");
    assert_eq!((faults[1].name.as_str(), faults[1].plugin.as_str()), ("cut-off", "network-partition"));
    assert_eq!((faults[1].planned_at, faults[1].recover_within), (Some(55 * S), Some(30 * S)));
    assert_eq!(store.requirement.as_deref(), Some("29"));
    assert!(!faults[1].in_flight(), "it never struck");
    let planned = observed(&[Event { at: 0, fact: Fact::RunStarted(fixtures::info()) }]);
    assert_eq!(planned.faults()[0].because, "its moment did not come");
}

#[test]
fn a_step_that_is_told_again_is_still_one() {
    let mut events = fixtures::run();
    let again = FaultChange::Step {
        name: "detected".to_owned(),
        at: When::Observed(43 * S),
        detail: "store-1 is asked to lead".to_owned(),
    };
    let again = Fact::Fault { fault: "store-primary".to_owned(), change: again };
    events.push(Event { at: 48 * S, fact: again });
    let faults = observed(&events).faults();
    let steps: Vec<_> =
        faults[0].steps.iter().map(|step| (step.name.as_str(), step.detail.as_str())).collect();
    assert_eq!(steps, [("detected", "store-1 is asked to lead"), ("promoted", "store-1 is the leader")]);
}

#[test]
fn a_fault_is_in_flight_until_all_is_steady_or_its_revert_failed() {
    let mut known = observations();
    let fault = &mut known.faults[0];
    fault.steady_again = None;
    assert!(fault.in_flight());
    fault.revert_failure = Some("nobody answered".to_owned());
    assert!(!fault.in_flight());
}

#[test]
fn seconds_of_two_faults_at_once_are_left_out_once() {
    let mut events = fixtures::run();
    let cut_off = |at: Nanos, change| Event { at, fact: Fact::Fault { fault: "cut-off".to_owned(), change } };
    events.insert(3, cut_off(50 * S, FaultChange::Injected { means: "cut".to_owned() }));
    events.insert(4, cut_off(53 * S, FaultChange::SteadyAgain));
    let within = observed(&events).totals(&all(), &Span::OutsideFaults, 0.0).unwrap();
    assert_eq!(within.covered, 44 * S, "it lies within the other");
    events[4].at = 58 * S;
    let beyond = observed(&events).totals(&all(), &Span::OutsideFaults, 0.0).unwrap();
    assert_eq!(beyond.covered, 42 * S, "it lasts 2 s longer");
}

#[test]
fn the_profile_is_no_fault() {
    let mut events = fixtures::run();
    let profile = |change| Fact::Fault { fault: "profile".to_owned(), change };
    let means = "limits set".to_owned();
    events.insert(3, Event { at: 6 * S, fact: profile(FaultChange::Injected { means }) });
    let known = observed(&events);
    assert_eq!(known.faults().len(), 2);
    assert_eq!(known.profile().unwrap().struck, Some(6 * S));
    let outside = known.totals(&all(), &Span::OutsideFaults, 0.0).unwrap();
    assert_eq!(outside, observations().totals(&all(), &Span::OutsideFaults, 0.0).unwrap());
}

#[test]
fn a_revert_that_came_first_is_aid() {
    let mut known = observations();
    let fault = &mut known.faults[0];
    fault.reverted = Some(47 * S + 500 * MS);
    assert!(!fault.unaided(), "users recovered 8 s after the strike, the revert came before");
    fault.reverted = Some(46 * S);
    assert!(!fault.unaided(), "the component had not completed");
    fault.reverted = Some(48 * S);
    assert!(fault.unaided(), "both were back at that very moment");
    fault.users.clear();
    fault.reverted = Some(47 * S);
    assert!(fault.unaided(), "where nobody looked, the component alone says it");
}
