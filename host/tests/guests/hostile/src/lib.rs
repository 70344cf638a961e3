//! A behavior that does what no plugin should, for the tests that hold the host to its promise: a
//! plugin that traps, hangs or grows costs its own call, never the run.

use std::hint::black_box;

use assay_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Misdeed {
    /// Executes `unreachable`.
    Trap,
    /// Panics with the message "as told".
    Panic,
    /// Calls itself without end.
    Recurse,
    /// Calls itself `depth` times, and at the bottom sends a request to `url`: how much stack do
    /// host calls have left then?
    RecurseThenSend,
    /// Computes for ever without a host call.
    Loop,
    /// Sleeps for ever, a host call at a time.
    LoopSleeping,
    /// Allocates and touches memory without end.
    Grow,
    /// Writes `count` log lines.
    FloodLog,
    /// Answers a failure whose text is `count` bytes long.
    HugeError,
    /// Keeps `count` responses open.
    HoardResponses,
    /// Sends a request to `url`, which is not its target.
    SendElsewhere,
    /// Records `count` metrics by different names.
    FloodMetrics,
    /// Behaves.
    #[default]
    None,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    misdeed: Misdeed,
    /// Does it in `start` instead of in the task.
    at_start: bool,
    /// Where it sends to.
    url: String,
    /// How many times it calls itself before it sends. Each call takes a frame of the engine's
    /// stack, about 110 bytes, and next to nothing of the guest's own.
    depth: u32,
    /// How many lines, bytes, responses or metrics.
    count: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { misdeed: Misdeed::None, at_start: false, url: "/".to_owned(), depth: 2000, count: 100_000 }
    }
}

struct Hostile {
    config: Config,
}

impl Behavior for Hostile {
    type Config = Config;

    fn tasks(_: &Config) -> Tasks<Self> {
        Tasks::new().group("misdeeds", 1, [Task::new("do-it", Self::do_it)])
    }

    fn start(config: Config, _user: User) -> Result<Self> {
        let mut hostile = Hostile { config };
        if hostile.config.at_start {
            hostile.do_it()?;
        }
        Ok(hostile)
    }
}

impl Hostile {
    fn do_it(&mut self) -> Result<()> {
        let Config { url, depth, count, .. } = &self.config;
        match self.config.misdeed {
            Misdeed::Trap => trap(),
            Misdeed::Panic => panic!("as told"),
            Misdeed::Recurse => {
                black_box(recurse(u32::MAX, 1, &mut || ()));
            }
            Misdeed::RecurseThenSend => {
                let mut sent = Ok(());
                black_box(recurse(*depth, 1, &mut || {
                    sent = http::get(url).send().map(drop).map_err(Failure::from);
                }));
                return sent;
            }
            Misdeed::Loop => {
                let mut turns = 0u64;
                loop {
                    turns = black_box(turns.wrapping_add(1));
                }
            }
            Misdeed::LoopSleeping => loop {
                clock::sleep(std::time::Duration::from_millis(1))?;
            },
            Misdeed::Grow => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(black_box(vec![1u8; 1 << 20]));
                }
            }
            Misdeed::FloodLog => {
                for line in 0..*count {
                    log::info(&format!("line {line}"));
                }
            }
            Misdeed::HugeError => return Err(Failure::Other("x".repeat(*count as usize))),
            Misdeed::HoardResponses => {
                let mut hoard = Vec::new();
                for _ in 0..*count {
                    hoard.push(http::get(url).send()?);
                }
            }
            Misdeed::SendElsewhere => {
                http::get(url).send()?;
            }
            Misdeed::FloodMetrics => {
                for metric in 0..*count {
                    metrics::count(&format!("metric-{metric}"), 1.0);
                }
            }
            Misdeed::None => {}
        }
        Ok(())
    }
}

/// Calls itself so deep, and does something at the bottom.
///
/// What is alive over each call are numbers, not memory, so it is the engine's stack that runs out
/// and not the guest's own; and each is needed again afterwards, in order, so that no optimiser
/// makes it a loop.
#[inline(never)]
fn recurse(depth: u32, seed: u64, bottom: &mut dyn FnMut()) -> u64 {
    if depth == 0 {
        bottom();
        return seed;
    }
    let a = mix(seed);
    let b = mix(a);
    let c = mix(b);
    let d = mix(c);
    let e = mix(d);
    let f = mix(e);
    let g = mix(f);
    let h = mix(g);
    let below = recurse(depth - 1, mix(h), bottom);
    [a, b, c, d, e, f, g, h].into_iter().fold(below, |sum, each| mix(sum ^ each))
}

fn mix(word: u64) -> u64 {
    (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    std::process::abort()
}

assay_sdk::export!(behavior Hostile);
