//! The run config as the rest of the host sees it: resolved, with units, nothing left to look up.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Rows, Sources};
use crate::environment::kubernetes::ClusterConfig;

/// One run.
#[derive(Debug, Clone)]
pub struct RunConfig {
    pub name: String,
    /// The file it was read from, as given.
    pub path: PathBuf,
    /// What all random choices follow from; absent: drawn anew.
    pub seed: Option<u64>,
    /// 1 unless the run is shortened; already applied to phases and faults.
    pub time_scale: f64,
    /// The one that `environment` or `--env` picked.
    pub environment: EnvironmentConfig,
    /// Read by [`super::resolve_credentials`] when the run starts, and not before.
    pub credentials: BTreeMap<String, CredentialConfig>,
    /// Plugins that are not built in, and grants for any plugin, by name.
    pub plugins: BTreeMap<String, PluginSource>,
    /// Rows of data that behaviors share, by name.
    pub feeds: BTreeMap<String, FeedConfig>,
    pub http: HttpConfig,
    pub profile: Option<ProfileConfig>,
    pub behaviors: Vec<BehaviorConfig>,
    pub probe: Option<ProbeConfig>,
    /// At least one, names unique, in order.
    pub phases: Vec<PhaseConfig>,
    pub steady: SteadyConfig,
    pub guard: Option<GuardConfig>,
    pub settle: SettleConfig,
    pub faults: Vec<FaultConfig>,
    pub assertions: Vec<AssertionConfig>,
    /// How long a graceful stop waits for the task at hand.
    pub stop_timeout: Duration,
    /// What `--set` put into it.
    pub set: Vec<String>,
    /// The files that it was read from and those that it names, relative to the folder of `path`; the first
    /// is that of `path` itself.
    pub files: Vec<PathBuf>,
    /// What it was read from, to point to lines.
    pub sources: Arc<Sources>,
}

impl RunConfig {
    /// Names of the secrets that a lab has to supply.
    pub fn lab_secrets(&self) -> impl Iterator<Item = &str> {
        self.credentials.values().filter_map(|credential| match &credential.password {
            SecretSource::Environment { lab, .. } => lab.as_deref(),
            SecretSource::Env(_) | SecretSource::File(_) => None,
        })
    }

    /// The secrets that a cluster has to supply.
    pub fn cluster_secrets(&self) -> impl Iterator<Item = &SecretKey> {
        self.credentials.values().filter_map(|credential| match &credential.password {
            SecretSource::Environment { cluster, .. } => cluster.as_ref(),
            SecretSource::Env(_) | SecretSource::File(_) => None,
        })
    }
}

#[derive(Debug, Clone)]
pub struct EnvironmentConfig {
    pub name: String,
    pub kind: EnvironmentKind,
}

#[derive(Debug, Clone)]
pub enum EnvironmentKind {
    /// A lab on this machine.
    Lab {
        /// The stack file, resolved against the config's folder.
        stack: PathBuf,
    },
    /// Something that already runs and that Assay only sends load to: for runs without faults.
    /// Its URL has no trailing slash.
    Url { url: String },
    /// One namespace of a Kubernetes cluster.
    Kubernetes(ClusterConfig),
}

/// A user, and where the password is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialConfig {
    pub user: String,
    pub password: SecretSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, resolved against the config's folder.
    File(PathBuf),
    /// The environment supplies it; at least one kind does.
    Environment {
        /// A secret of the lab's stack, made up anew by every lab.
        lab: Option<String>,
        cluster: Option<SecretKey>,
    },
}

/// A key of a Secret in the environment's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    pub name: String,
    pub key: String,
}

impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.name, self.key)
    }
}

/// A user and a password that plugins name and never see.
#[derive(Clone)]
pub struct Credential {
    pub user: String,
    pub password: Secret,
}

/// A value that is redacted wherever it is printed.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential {{ user: {:?}, password: [redacted] }}", self.user)
    }
}

/// Where a plugin comes from and what it may reach.
#[derive(Debug, Clone, Default)]
pub struct PluginSource {
    /// Absent for a built-in plugin.
    pub path: Option<PathBuf>,
    pub grants: Grants,
    pub limits: Limits,
}

/// What one plugin may reach through each capability; empty means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Host names, `*.` as first label matches any one or more labels; the target is always granted.
    pub http: Vec<String>,
    /// Label selectors of instances.
    pub cluster: Vec<String>,
    pub sql: Vec<String>,
    pub redis: Vec<String>,
    /// Kinds of objects, `apps/v1/Deployment`, or with `/NAME` one object.
    pub kube: Vec<String>,
    /// Names of feeds.
    pub feed: Vec<String>,
}

/// Rows of data that behaviors share.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Held once, however many users read them.
    pub rows: Arc<Rows>,
    pub order: FeedOrder,
}

/// Who gets which row of a feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeedOrder {
    /// Whoever asks gets the next one of the whole run; after the last comes the first again.
    #[default]
    Sequential,
    /// Each user draws from a random stream of its own: the same seed gives it the same rows.
    Random,
    /// Each user has one for its whole life, and no other user that lives has it.
    Unique,
}

/// What one instance of a plugin may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory: u64,
    /// Longest a call may take, waiting included.
    pub call_timeout: Duration,
    /// Longest it may compute without calling the host.
    pub busy_timeout: Duration,
    /// Most bytes that one call may hand to the host.
    pub host_call_data: u64,
    /// Most bytes of an answer's body.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            call_timeout: Duration::from_secs(60),
            busy_timeout: Duration::from_secs(2),
            host_call_data: 16 << 20,
            body: 8 << 20,
        }
    }
}

/// How virtual users speak HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Certificates in PEM, at least one and each of an authority's form, that the target's is
    /// trusted by, beside those that browsers trust.
    pub authorities: Option<Arc<[u8]>>,
    /// If not, any certificate will do.
    pub verify: bool,
    pub version: HttpVersion,
    pub reuse: ConnectionReuse,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            authorities: None,
            verify: true,
            version: HttpVersion::default(),
            reuse: ConnectionReuse::default(),
        }
    }
}

/// Which HTTP is spoken; `auto` unless given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum HttpVersion {
    /// HTTP/2 where the target offers it over TLS, else 1.1.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "1.1")]
    Http1,
    /// Also in the clear, by prior knowledge.
    #[serde(rename = "2")]
    Http2,
}

/// How long a user's connections are kept; `always` unless given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ConnectionReuse {
    /// As a browser does.
    #[default]
    Always,
    /// Until the task ends; the next one opens its own.
    WithinTask,
    /// Every request opens its own.
    Never,
}

/// A use of a plugin: which one, and its config as JSON, schema not yet applied.
#[derive(Debug, Clone)]
pub struct PluginUse {
    pub plugin: String,
    pub config: serde_json::Value,
    /// Where `config` stands, to lead a JSON pointer back to a line.
    pub origin: ConfigOrigin,
}

/// Where in the TOML file a plugin's config came from: its path of keys from the root, for example
/// `faults/0/config`. A `/` in a key is written `~1`, as in a JSON pointer.
#[derive(Debug, Clone, Default)]
pub struct ConfigOrigin {
    pub path: String,
    /// Where the plugin was named, likewise: an environment may swap one without the other.
    pub plugin: String,
}

#[derive(Debug, Clone)]
pub struct ProfileConfig {
    pub uses: PluginUse,
}

#[derive(Debug, Clone)]
pub struct BehaviorConfig {
    /// Unique; the plugin's name unless given.
    pub name: String,
    pub uses: PluginUse,
    /// Percent of users; the shares of all behaviors add up to 100.
    pub share: f64,
    /// Weights of task groups that replace the plugin's own; a group that is left out gets 0.
    pub mix: Option<BTreeMap<String, f64>>,
    pub pace: Pace,
}

/// A behavior that reads and writes all the time beside the load, and is no part of it.
#[derive(Debug, Clone)]
pub struct ProbeConfig {
    /// As which its requests and writes are known.
    pub behavior: BehaviorConfig,
    /// Starts a second, of `read` and of `write` each.
    pub rate: f64,
    /// Its own users; at least one.
    pub users: u32,
}

/// When a user begins its next task, in a closed phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So long after the one before ended.
    Think(ThinkTime),
    /// So long after the one before should have begun, however long it took. Not zero.
    Every(Duration),
}

/// How the pause between two tasks is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThinkTime {
    /// Evenly, both ends included.
    Even { min: Duration, max: Duration },
    /// As the time between strangers, with this mean; cut off at ten times as much.
    Exponential { mean: Duration },
    /// Around a mean; what would be below zero is zero.
    Normal { mean: Duration, deviation: Duration },
}

#[derive(Debug, Clone)]
pub struct PhaseConfig {
    pub name: String,
    /// How many there are; in an open phase, the most that there may be.
    pub users: u32,
    /// Makes the phase open: tasks start at a rate of their own, whatever the target answers.
    pub arrivals: Option<ArrivalsConfig>,
    /// Of users, or in an open phase of the rate.
    pub ramp: Ramp,
    /// Ramp included.
    pub duration: Duration,
}

/// The starts of an open phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrivalsConfig {
    /// Starts a second.
    pub rate: f64,
    /// How long a start may wait for a free user; absent: until the phase ends.
    pub max_late: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ramp {
    /// Within this time; zero is at once.
    Over(Duration),
    /// So many users more or fewer each second, or so many starts a second.
    Rate(f64),
}

#[derive(Debug, Clone)]
pub struct SteadyConfig {
    /// 0.0 to 1.0.
    pub success_rate: f64,
    pub hold: Duration,
}

#[derive(Debug, Clone)]
pub struct GuardConfig {
    pub error_rate: f64,
    pub hold: Duration,
}

#[derive(Debug, Clone)]
pub struct SettleConfig {
    pub at_most: Duration,
}

#[derive(Debug, Clone)]
pub struct FaultConfig {
    pub name: String,
    pub uses: PluginUse,
    /// The phase, and how long after its start.
    pub phase: String,
    pub offset: Duration,
    /// Absent: reverted once recovered, or when `recover_within` + 5 s has passed.
    pub duration: Option<Duration>,
    pub recover_within: Duration,
    /// Does not wait for its turn.
    pub overlap: bool,
    pub requirement: Option<String>,
}

#[derive(Debug, Clone)]
pub struct AssertionConfig {
    pub name: String,
    pub uses: PluginUse,
    pub requirement: Option<String>,
}
