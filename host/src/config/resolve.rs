//! From the config as written to the config as run: units applied, names looked up, every rule
//! checked that a schema cannot state.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};

use super::{
    LoadOptions, Sources, behaviors,
    checks::Checks,
    diagnostic::Diagnostic,
    environments::{self, is_dns_name},
    faults, feeds,
    file::{AssertionTable, ConfigFile, CredentialTable, GuardTable, SecretTable, SteadyTable},
    folder::Folder,
    http,
    model::{
        AssertionConfig, ConfigOrigin, CredentialConfig, GuardConfig, PluginUse, ProfileConfig, RunConfig,
        SecretKey, SecretSource, SettleConfig, SteadyConfig,
    },
    phases, plugins, probe,
    tree::escape,
    units::show_duration,
};

/// Checks everything and answers the resolved config, or all that is wrong.
pub(super) fn resolve(
    file: ConfigFile,
    path: &Path,
    folder: &Folder,
    sources: &Arc<Sources>,
    options: &LoadOptions,
) -> Result<RunConfig, Vec<Diagnostic>> {
    let mut checks = Checks::new(folder, sources);
    let environment = environments::pick(
        &mut checks,
        file.environments,
        file.environment.as_ref().map(|name| &name.0),
        options,
    );
    let behaviors = behaviors::behaviors(&mut checks, file.behaviors);
    let phases = phases::phases(&mut checks, file.phases, &behaviors);
    let faults = faults::faults(&mut checks, file.faults, &phases, environment.as_ref());
    let feed_names: Vec<_> = file.feeds.keys().cloned().collect();
    let plugins = plugins::plugins(&mut checks, file.plugins);
    feeds::check_grants(&mut checks, &feed_names, &plugins);
    let mut config = RunConfig {
        name: file.name.0,
        path: path.to_owned(),
        seed: file.seed.and_then(|seed| u64::try_from(seed).ok()),
        time_scale: 1.0,
        credentials: credentials(&mut checks, file.credentials),
        plugins,
        feeds: feeds::feeds(&mut checks, file.feeds),
        http: http::http(&mut checks, file.http),
        profile: file
            .profile
            .map(|table| ProfileConfig { uses: uses(table.plugin.0, table.config, "profile") }),
        probe: probe::probe(&mut checks, file.probe, &behaviors),
        behaviors,
        steady: steady(&mut checks, file.steady),
        guard: guard(&mut checks, file.guard),
        settle: SettleConfig {
            at_most: file.settle.and_then(|settle| settle.at_most).map_or(Duration::from_mins(1), |d| d.0),
        },
        assertions: assertions(&mut checks, file.assertions),
        stop_timeout: file.stop_timeout.map_or(Duration::from_secs(5), |duration| duration.0),
        phases,
        faults,
        set: options.set.clone(),
        sources: sources.clone(),
        files: sources.texts.files().cloned().collect(),
        environment: match environment {
            Some(picked) if checks.errors.is_empty() => picked.config,
            _ => return Err(checks.errors),
        },
    };
    config.files.extend(checks.files);
    Ok(config)
}

pub(super) fn uses(plugin: String, config: Map<String, Value>, path: &str) -> PluginUse {
    let origin = ConfigOrigin { path: format!("{path}/config"), plugin: format!("{path}/plugin") };
    PluginUse { plugin, config: Value::Object(config), origin }
}

fn assertions(checks: &mut Checks<'_>, tables: Vec<AssertionTable>) -> Vec<AssertionConfig> {
    let mut names = BTreeSet::new();
    for (index, table) in tables.iter().enumerate() {
        if let Some(name) = &table.name {
            checks.unique(&mut names, &name.0, &format!("/assertions/{index}/name"), "assertions");
        }
    }
    tables
        .into_iter()
        .enumerate()
        .map(|(index, table)| {
            let name = match table.name {
                Some(name) => name.0,
                None => numbered(&mut names, &table.plugin.0),
            };
            let uses = uses(table.plugin.0, table.config, &format!("assertions/{index}"));
            AssertionConfig { name, uses, requirement: table.requirement }
        })
        .collect()
}

/// A name that is not taken yet: the plugin's own, or with `-2` and so on.
fn numbered(taken: &mut BTreeSet<String>, plugin: &str) -> String {
    let candidates = std::iter::once(plugin.to_owned()).chain((2_u32..).map(|n| format!("{plugin}-{n}")));
    // The numbers outlast any list of assertions, so one is always free.
    let free = candidates.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

fn steady(checks: &mut Checks<'_>, table: Option<SteadyTable>) -> SteadyConfig {
    let (success_rate, hold) = table.map_or((None, None), |table| (table.success_rate, table.r#for));
    let hold = hold.map_or(Duration::from_secs(10), |duration| duration.0);
    if hold < Duration::from_secs(1) {
        checks.refuse(
            "/steady/for",
            format!("{} is too short", show_duration(hold)),
            "at least \"1s\": requests are counted by the second",
        );
    }
    let success_rate = success_rate.map_or(0.99, |rate| rate.0);
    checks.at_most_all(success_rate, "/steady/success-rate");
    SteadyConfig { success_rate, hold }
}

fn guard(checks: &mut Checks<'_>, table: Option<GuardTable>) -> Option<GuardConfig> {
    let table = table?;
    let hold = table.r#for.map_or(Duration::from_mins(1), |duration| duration.0);
    checks.positive(hold, "/guard/for");
    checks.at_most_all(table.error_rate.0, "/guard/error-rate");
    Some(GuardConfig { error_rate: table.error_rate.0, hold })
}

fn credentials(
    checks: &mut Checks<'_>,
    tables: BTreeMap<String, CredentialTable>,
) -> BTreeMap<String, CredentialConfig> {
    let mut credentials = BTreeMap::new();
    for (name, table) in tables {
        let at = format!("/credentials/{}", escape(&name));
        checks.named(&at, &name);
        let SecretTable { env, file, lab, kube_secret } = table.password;
        let cluster =
            kube_secret.and_then(|text| secret_key(checks, &format!("{at}/password/kube-secret"), &text));
        let sources = [env.is_some(), file.is_some(), lab.is_some() || cluster.is_some()];
        if sources.iter().filter(|given| **given).count() > 1 {
            let message = format!("the password of `{name}` has more than one source");
            let help = "name one; only `lab` and `kube-secret` go together, each for its kind of environment";
            checks.refuse(&format!("{at}/password"), message, help);
            continue;
        }
        let password = match (env, file) {
            (Some(variable), _) => {
                if variable.is_empty() || variable.contains(['=', '\0']) {
                    let message = format!("`{}` cannot be an environment variable", variable.escape_debug());
                    checks.refuse(&format!("{at}/password/env"), message, "name one, such as DB_PASSWORD");
                }
                Some(SecretSource::Env(variable))
            }
            (_, Some(file)) => checks.path(&format!("{at}/password/file"), &file).map(SecretSource::File),
            // The schema asks for at least one; a key of a Secret that cannot be read was told.
            (None, None) => {
                (lab.is_some() || cluster.is_some()).then_some(SecretSource::Environment { lab, cluster })
            }
        };
        if let Some(password) = password {
            credentials.insert(name, CredentialConfig { user: table.user, password });
        }
    }
    credentials
}

/// `NAME/KEY`.
fn secret_key(checks: &mut Checks<'_>, pointer: &str, text: &str) -> Option<SecretKey> {
    let found =
        text.split_once('/').filter(|(name, key)| is_dns_name(name) && !key.is_empty() && !key.contains('/'));
    if found.is_none() {
        let help = "the Secret's name and the key in it, such as \"database/password\"";
        checks.refuse(pointer, format!("`{text}` does not name a key of a Secret"), help);
    }
    found.map(|(name, key)| SecretKey { name: name.to_owned(), key: key.to_owned() })
}
