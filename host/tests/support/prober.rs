//! A second opinion on an outage, by a process that shares nothing with Assay: `tests/prober/prober.py`.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{ChildStdout, Stdio},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Running, labs, wait_for};

/// The shop's databases in the lab.
const DATABASES: [&str; 2] = ["postgres-0", "postgres-1"];

/// At work beside a lab of the jewelry shop. It gives up by itself, so reading from it is bounded, and ends when its
/// input does.
pub(crate) struct Prober {
    child: Running,
    said: BufReader<ChildStdout>,
}

/// What it measured, in seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// The largest time in the outage in which no write of its own ended.
    pub(crate) gap: f64,
    pub(crate) failures: u64,
    pub(crate) writes: u64,
}

/// A figure of the host's beside the prober's, in seconds.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) host: f64,
    pub(crate) apart: f64,
    /// A second, or twice the largest gap between samples of either.
    pub(crate) allowed: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    begun: bool,
}

impl Prober {
    /// Starts to write as soon as the lab's shop takes what it writes, which is when this returns.
    pub(crate) fn beside(lab: &str) -> Self {
        let (shop, patroni) = wait_for("the shop's addresses", Duration::from_secs(90), || addresses(lab));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prober/prober.py");
        let mut command = labs::in_network_of(lab);
        command.arg("python3").arg(script).args(["--shop", &shop, "--patroni"]).args(patroni);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().expect("nsenter and python3 are there"));
        let said = BufReader::new(child.0.stdout.take().expect("it is piped"));
        let mut prober = Self { child, said };
        let said: Begun = prober.next();
        assert!(said.begun);
        prober
    }

    /// Waits for the end of the outage.
    pub(crate) fn outage(mut self) -> Measured {
        self.next()
    }

    fn next<T: DeserializeOwned>(&mut self) -> T {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it is read");
        serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut because = String::new();
            let errors = self.child.0.stderr.as_mut().expect("it is piped");
            errors.read_to_string(&mut because).expect("it is read");
            panic!("the prober said {line:?} ({error}), and then: {because}")
        })
    }
}

impl Measured {
    /// An outage as an event of the host's has it, beside this.
    pub(crate) fn beside(&self, seen: &Value) -> Compared {
        let seconds = |nanos: &Value| {
            let nanos = nanos.as_u64().unwrap_or_else(|| panic!("an outage that ended: {seen}"));
            Duration::from_nanos(nanos).as_secs_f64()
        };
        let host = seconds(&seen["outage"]["ended"]);
        let gap = seconds(&seen["resolution"]).max(self.gap);
        Compared { host, apart: (host - self.seconds).abs(), allowed: f64::max(1.0, 2.0 * gap) }
    }
}

impl Compared {
    pub(crate) fn agrees(&self) -> bool {
        self.apart <= self.allowed
    }
}

/// Of the shop's front door, and of every Patroni, once all of them are configured.
fn addresses(lab: &str) -> Option<(String, Vec<String>)> {
    let of = |instance: &str, file: &str, port: &str| {
        let text = labs::handed(lab, instance, file)?;
        text.split([' ', ';', '\n']).find(|word| word.ends_with(port)).map(str::to_owned)
    };
    let door = of("nginx-0", "nginx.conf", ":8080")?;
    let patroni = DATABASES.map(|name| of(name, "patroni.yml", ":8008"));
    Some((door, patroni.into_iter().collect::<Option<_>>()?))
}
