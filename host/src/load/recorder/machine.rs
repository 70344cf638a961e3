//! Watches whether this machine has processor time left. Where the target runs on it too, a machine
//! without any starves the target, and then its figures are the machine's.

use std::fs;

/// Parts of a hundred of all processors that must be idle; below that, nothing is left.
const LEAST_IDLE: u64 = 2;

/// Share of seconds without any idle time above which the report says so.
const STARVED: f64 = 0.01;

/// The machine, second by second.
#[derive(Debug)]
pub(super) struct Machine {
    before: Option<Ticks>,
    seconds: u64,
    starved: u64,
}

/// What all processors together have spent so far, in ticks of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { before: ticks(), seconds: 0, starved: 0 }
    }

    /// At the end of each second.
    pub(super) fn read(&mut self) {
        self.pass(ticks());
    }

    fn pass(&mut self, now: Option<Ticks>) {
        if let (Some(before), Some(now)) = (self.before, now)
            && now.all > before.all
        {
            let idle = now.idle.saturating_sub(before.idle);
            self.seconds += 1;
            self.starved += u64::from(idle * 100 < LEAST_IDLE * (now.all - before.all));
        }
        self.before = now;
    }

    /// What the report should say of it, if anything.
    pub(super) fn finding(&self) -> Option<String> {
        let Self { seconds, starved, .. } = *self;
        (starved as f64 > STARVED * seconds as f64).then(|| {
            format!(
                "in {starved} of {seconds} seconds this machine had less than {LEAST_IDLE} % of its processor \
                 time left: if the target runs on it, it may have been starved by its neighbours, the load \
                 generator among them, and not by its own limits"
            )
        })
    }
}

fn ticks() -> Option<Ticks> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line sums up all processors: user, nice, system, idle, iowait, irq, softirq and steal;
/// what follows is counted in these already.
fn parse(stat: &str) -> Option<Ticks> {
    let mut words = stat.lines().next()?.split_ascii_whitespace();
    if words.next()? != "cpu" {
        return None;
    }
    let spent: Vec<u64> = words.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let all = spent.iter().try_fold(0_u64, |sum, ticks| sum.checked_add(*ticks))?;
    let idle = spent.get(3)?.checked_add(*spent.get(4)?)?;
    Some(Ticks { idle, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_is_idle() {
        let stat = "cpu  10 1 5 100 7 1 2 3 4 0\ncpu0 5 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(parse(stat), Some(Ticks { idle: 107, all: 129 }));
        for odd in
            ["", "cpu", "cpu 1 2 3", "intr 1 2 3 4 5", "cpu a b c d e", "cpu 18446744073709551615 1 1 1 1"]
        {
            assert_eq!(parse(odd), None, "{odd}");
        }
        assert!(ticks().is_some_and(|ticks| ticks.all > 0), "this machine says so, too");
    }

    /// A machine of two processors over so many seconds, idle so many ticks of 200 in each.
    fn after(seconds: &[u64]) -> Option<String> {
        let mut machine = Machine { before: Some(Ticks { idle: 0, all: 0 }), seconds: 0, starved: 0 };
        let (mut idle, mut all) = (0, 0);
        for ticks in seconds {
            idle += ticks;
            all += 200;
            machine.pass(Some(Ticks { idle, all }));
        }
        machine.finding()
    }

    #[test]
    fn a_machine_without_idle_time_is_told() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[4; 100]), None, "two percent are left");
        assert_eq!(after(&[&[0][..], &[50; 99]].concat()), None, "one second of a hundred");
        let told = after(&[&[0, 3][..], &[50; 98]].concat()).expect("two seconds of a hundred");
        assert!(told.starts_with("in 2 of 100 seconds this machine had less than 2 %"), "{told}");
    }

    #[test]
    fn a_reading_that_failed_is_skipped() {
        let mut machine = Machine { before: Some(Ticks { idle: 0, all: 0 }), seconds: 0, starved: 0 };
        for now in [None, Some(Ticks { idle: 0, all: 200 }), Some(Ticks { idle: 0, all: 200 })] {
            machine.pass(now);
        }
        assert_eq!((machine.seconds, machine.starved), (0, 0));
    }
}
