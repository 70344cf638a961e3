//! The run config as it is written: one struct per table, all keys known. From these the loader
//! reads, and the JSON Schema for editors is generated; what they cannot say is checked after.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    model::{ConnectionReuse, FeedOrder, HttpVersion},
    places::EnvironmentTable,
    quantities::{DurationText, MomentText, NameText, PercentText, RampText, RateText, SizeText, ThinkText},
};

/// Most users that a phase may ask for: about ten times what one process can hold.
pub(super) const MOST_USERS: u32 = 100_000;

/// Most users that a probe may have: it looks on, and is no load.
pub(super) const MOST_PROBES: u32 = 1_000;

/// A run config of Assay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConfigFile {
    /// What reports call this run.
    pub(super) name: NameText,
    /// Files to read first, relative to this one. What this file says replaces what they say:
    /// tables are merged key by key, lists are replaced whole.
    #[serde(default)]
    #[expect(dead_code, reason = "taken out before the rest is read; here for the schema")]
    pub(super) include: Vec<String>,
    /// Which of the environments; not needed when there is only one.
    pub(super) environment: Option<NameText>,
    /// What all random choices follow from; drawn anew for each run unless given.
    #[schemars(range(min = 0))]
    pub(super) seed: Option<i64>,
    /// How long a graceful stop waits for the task at hand; 5s unless given.
    pub(super) stop_timeout: Option<DurationText>,
    /// Where the run can happen, by name.
    #[serde(default)]
    pub(super) environments: BTreeMap<String, EnvironmentTable>,
    /// Users and passwords that plugins name and never see, by name.
    #[serde(default)]
    pub(super) credentials: BTreeMap<String, CredentialTable>,
    /// Plugins that are not built in, and what any plugin may reach and use, by name.
    #[serde(default)]
    pub(super) plugins: BTreeMap<String, PluginTable>,
    /// Rows of data that behaviors share, by name.
    #[serde(default)]
    pub(super) feeds: BTreeMap<String, FeedTable>,
    /// How virtual users speak HTTP.
    pub(super) http: Option<HttpTable>,
    /// What shapes the platform for the whole run.
    pub(super) profile: Option<ProfileTable>,
    /// Who the users are.
    #[schemars(length(min = 1))]
    pub(super) behaviors: Vec<BehaviorTable>,
    /// What asks all the time, beside the load, whether the target still reads and writes.
    pub(super) probe: Option<ProbeTable>,
    /// How many users, and when.
    #[schemars(length(min = 1))]
    pub(super) phases: Vec<PhaseTable>,
    /// When the target counts as steady: checked before each fault and after each revert.
    pub(super) steady: Option<SteadyTable>,
    /// When to stop the load and revert the faults.
    pub(super) guard: Option<GuardTable>,
    /// The time after the load.
    pub(super) settle: Option<SettleTable>,
    /// What is broken, and when.
    #[serde(default)]
    pub(super) faults: Vec<FaultTable>,
    /// What is promised.
    #[serde(default)]
    pub(super) assertions: Vec<AssertionTable>,
}

/// A user and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CredentialTable {
    pub(super) user: String,
    pub(super) password: SecretTable,
}

/// Where a secret is kept: one place, or `lab` and `kube-secret`, of which each environment has its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 2))]
pub(super) struct SecretTable {
    /// An environment variable.
    pub(super) env: Option<String>,
    /// A file below the config's folder; a final newline does not count.
    pub(super) file: Option<String>,
    /// A secret that the lab's stack names and every lab makes up anew.
    pub(super) lab: Option<String>,
    /// A key of a Secret in the cluster's namespace, as `NAME/KEY`. It may stand beside `lab`, so that
    /// one config serves both kinds of environment.
    pub(super) kube_secret: Option<String>,
}

/// A plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PluginTable {
    /// A `.wasm` component below the config's folder; built-in plugins have none.
    pub(super) path: Option<String>,
    pub(super) grants: Option<GrantsTable>,
    pub(super) limits: Option<LimitsTable>,
}

/// What a plugin may reach; nothing unless named.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GrantsTable {
    /// Host names; `*.` as first label stands for any labels. The target is always granted.
    #[serde(default)]
    pub(super) http: Vec<String>,
    /// Label selectors of instances, nodes and workloads.
    #[serde(default)]
    pub(super) cluster: Vec<String>,
    /// Label selectors of instances.
    #[serde(default)]
    pub(super) sql: Vec<String>,
    /// Label selectors of instances.
    #[serde(default)]
    pub(super) redis: Vec<String>,
    /// Kinds of Kubernetes objects, as `VERSION/KIND` or `GROUP/VERSION/KIND`, with `/NAME` for one alone.
    #[serde(default)]
    pub(super) kube: Vec<String>,
    /// Names of feeds.
    #[serde(default)]
    pub(super) feed: Vec<String>,
}

/// What one instance of a plugin may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitsTable {
    /// Memory; 64Mi unless given.
    pub(super) memory: Option<SizeText>,
    /// Longest call, waiting included; 60s unless given.
    pub(super) call_timeout: Option<DurationText>,
    /// Longest computing without calling the host; 2s unless given.
    pub(super) busy_timeout: Option<DurationText>,
    /// Most data that one call hands to the host; 16Mi unless given.
    pub(super) host_call_data: Option<SizeText>,
    /// Longest body of an answer; 8Mi unless given.
    pub(super) body: Option<SizeText>,
}

/// Rows of data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FeedTable {
    /// A file below the config's folder: `.csv`, whose first line names the columns, or `.jsonl`, one
    /// JSON object a line.
    pub(super) path: String,
    /// Who gets which row; sequential unless given.
    pub(super) order: Option<FeedOrder>,
}

/// The virtual users' HTTP client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HttpTable {
    /// A PEM file below the config's folder: certificates of authorities that are trusted beside
    /// those that browsers trust.
    pub(super) authorities: Option<String>,
    /// Whether the target's certificate is verified; true unless given.
    pub(super) verify: Option<bool>,
    pub(super) version: Option<HttpVersion>,
    pub(super) reuse_connections: Option<ConnectionReuse>,
}

/// A fault plugin that shapes the whole run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProfileTable {
    pub(super) plugin: NameText,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
}

/// A part of the users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BehaviorTable {
    /// The plugin's name unless given.
    pub(super) name: Option<NameText>,
    pub(super) plugin: NameText,
    /// Percent of the users; all shares add up to 100. Not needed for a single behavior.
    #[schemars(range(min = 0, max = 100))]
    pub(super) share: Option<f64>,
    /// Weights of task groups in place of the plugin's own; a group that is left out gets 0.
    pub(super) mix: Option<BTreeMap<String, Weight>>,
    /// Pause between two tasks; 1s..5s unless given. Drawn evenly from a range, or as a table says.
    pub(super) think_time: Option<ThinkText>,
    /// In place of think time: each user's tasks begin so long after each other, however long they
    /// take.
    pub(super) pacing: Option<DurationText>,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
}

/// A distribution of pauses: either `exponential`, or `normal` with `deviation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(inline, extend("minProperties" = 1))]
pub(super) struct ThinkTable {
    /// The mean of an exponential distribution, cut off at ten times as much.
    pub(super) exponential: Option<DurationText>,
    /// The mean of a normal distribution, cut off at zero.
    pub(super) normal: Option<DurationText>,
    /// The standard deviation of `normal`.
    pub(super) deviation: Option<DurationText>,
}

/// How often, against the other weights.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Weight(#[schemars(range(min = 0, max = 1_000_000))] pub(super) f64);

/// A behavior with the tasks `read` and `write`, each sent at a steady rate from the begin of the
/// load to the end of settling, with users of its own, and reported apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProbeTable {
    pub(super) plugin: NameText,
    /// So often each second, each of the two.
    pub(super) rate: RateText,
    /// How many may be at it at once; as many as start within a second unless given.
    #[schemars(range(min = 1, max = MOST_PROBES))]
    pub(super) users: Option<u32>,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
}

/// A stretch of load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PhaseTable {
    pub(super) name: NameText,
    /// How many there are, or with `rate` the most that there may be.
    #[schemars(range(min = 0, max = MOST_USERS))]
    pub(super) users: u32,
    /// Makes the phase open: so many tasks start each second, whatever the target answers.
    pub(super) rate: Option<RateText>,
    /// How long a start may wait for a free user; until the phase ends unless given. Only with
    /// `rate`.
    pub(super) max_late: Option<DurationText>,
    /// How the users of the phase before become this many, or its rate this one: within a time, or
    /// so many a second. At once unless given.
    pub(super) ramp: Option<RampText>,
    /// Ramp included.
    pub(super) duration: DurationText,
}

/// The steady state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SteadyTable {
    /// 99% unless given.
    pub(super) success_rate: Option<PercentText>,
    /// For how long; 10s unless given.
    pub(super) r#for: Option<DurationText>,
}

/// The guard.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GuardTable {
    /// More failures than this.
    pub(super) error_rate: PercentText,
    /// For how long; 60s unless given. Time inside a fault's `recover-within` does not count.
    pub(super) r#for: Option<DurationText>,
}

/// The time after the load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SettleTable {
    /// 60s unless given.
    pub(super) at_most: Option<DurationText>,
}

/// A fault and when it strikes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FaultTable {
    pub(super) name: NameText,
    pub(super) plugin: NameText,
    /// The phase, and how long after its start.
    pub(super) at: MomentText,
    /// Reverted after this time. Without it: once recovered, or when `recover-within` + 5s has passed.
    pub(super) duration: Option<DurationText>,
    /// The promise; 60s unless given.
    pub(super) recover_within: Option<DurationText>,
    /// Strikes again and again. Each strike has a name of its own: `NAME#1`, `NAME#2`, …
    pub(super) repeat: Option<RepeatTable>,
    /// Strikes at its moment even if another fault is still in force, and without waiting for the steady
    /// state. Otherwise faults take turns.
    #[serde(default)]
    pub(super) overlap: bool,
    /// The reader's own numbering, printed in reports.
    pub(super) requirement: Option<String>,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
}

/// When a fault strikes after the first time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RepeatTable {
    /// From strike to strike.
    pub(super) every: DurationText,
    /// How often in all, the first strike included: 2 to 100.
    pub(super) times: u32,
}

/// Promises, and the plugin that judges them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AssertionTable {
    /// The plugin's name unless given; then with `-2` and so on where it stands more than once.
    pub(super) name: Option<NameText>,
    pub(super) plugin: NameText,
    /// The reader's own numbering, printed in reports.
    pub(super) requirement: Option<String>,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
}
