//! `[plugins.NAME]`: where a plugin comes from, what it may reach, what it may use.

use std::collections::BTreeMap;

use super::{
    checks::Checks,
    file::{GrantsTable, LimitsTable, PluginTable},
    model::{Grants, Limits, PluginSource},
    quantities::{DurationText, SizeText},
    tree::escape,
};
use crate::environment::{ObjectGrant, Selector};

/// Least memory of a plugin: one page of WebAssembly.
const LEAST_MEMORY: u64 = 64 << 10;
/// Most memory of a plugin: what 32-bit addresses reach.
const MOST_MEMORY: u64 = 4 << 30;

pub(super) fn plugins(
    checks: &mut Checks<'_>,
    tables: BTreeMap<String, PluginTable>,
) -> BTreeMap<String, PluginSource> {
    let mut plugins = BTreeMap::new();
    for (name, table) in tables {
        let at = format!("/plugins/{}", escape(&name));
        checks.named(&at, &name);
        let path = table.path.and_then(|path| {
            let at = format!("{at}/path");
            let found = checks.path(&at, &path)?;
            if found.extension().is_none_or(|extension| extension != "wasm") {
                let help = "build the plugin first: a plugin is a WebAssembly component";
                checks.refuse(&at, format!("`{path}` does not end in .wasm"), help);
            }
            Some(found)
        });
        let grants = table.grants.map(|table| grants(checks, &format!("{at}/grants"), table));
        let limits = table.limits.map(|table| limits(checks, &format!("{at}/limits"), table));
        let source =
            PluginSource { path, grants: grants.unwrap_or_default(), limits: limits.unwrap_or_default() };
        plugins.insert(name, source);
    }
    plugins
}

fn grants(checks: &mut Checks<'_>, at: &str, table: GrantsTable) -> Grants {
    for (index, host) in table.http.iter().enumerate() {
        if !is_host_pattern(host) {
            let help = "a host name such as \"example.org\", or \"*.example.org\" for all below it";
            checks.refuse(&format!("{at}/http/{index}"), format!("`{host}` is not a host name"), help);
        }
    }
    let selectors = [("cluster", &table.cluster), ("sql", &table.sql), ("redis", &table.redis)];
    for (capability, selectors) in selectors {
        for (index, selector) in selectors.iter().enumerate() {
            if let Err(error) = selector.parse::<Selector>() {
                let help = format!("a grant of `{capability}` names instances by their labels");
                checks.refuse(&format!("{at}/{capability}/{index}"), error.to_string(), help);
            }
        }
    }
    for (index, kind) in table.kube.iter().enumerate() {
        if let Err(because) = kind.parse::<ObjectGrant>() {
            let help = "as in \"apps/v1/Deployment\" or \"v1/ConfigMap\", or with a name behind it for one object alone";
            checks.refuse(&format!("{at}/kube/{index}"), because, help);
        }
    }
    Grants {
        http: table.http.iter().map(|host| host.to_ascii_lowercase()).collect(),
        cluster: table.cluster,
        sql: table.sql,
        redis: table.redis,
        kube: table.kube,
        feed: table.feed,
    }
}

fn is_host_pattern(pattern: &str) -> bool {
    let name = pattern.strip_prefix("*.").unwrap_or(pattern);
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.split('.').all(label)
}

fn limits(checks: &mut Checks<'_>, at: &str, table: LimitsTable) -> Limits {
    let default = Limits::default();
    let mut duration = |key: &str, given: Option<DurationText>, default| {
        let duration = given.map_or(default, |duration| duration.0);
        checks.positive(duration, &format!("{at}/{key}"));
        duration
    };
    let call_timeout = duration("call-timeout", table.call_timeout, default.call_timeout);
    let busy_timeout = duration("busy-timeout", table.busy_timeout, default.busy_timeout);
    let mut size = |key: &str, given: Option<SizeText>, default| {
        let size = given.map_or(default, |size| size.0);
        if !(LEAST_MEMORY..=MOST_MEMORY).contains(&size) {
            let message = format!("the limit `{key}` is out of bounds");
            checks.refuse(&format!("{at}/{key}"), message, "it can be from \"64Ki\" to \"4Gi\"");
        }
        size
    };
    Limits {
        memory: size("memory", table.memory, default.memory),
        call_timeout,
        busy_timeout,
        host_call_data: size("host-call-data", table.host_call_data, default.host_call_data),
        body: size("body", table.body, default.body),
    }
}
