//! `[environments.NAME]`: picks where the run happens.

use std::collections::BTreeMap;

use super::{
    LoadOptions,
    checks::Checks,
    diagnostic::Diagnostic,
    explain::choices,
    model::{EnvironmentConfig, EnvironmentKind},
    places::{Allowance, EnvironmentTable, SwapTable, TargetTable},
    tree::escape,
};
use crate::environment::kubernetes::{ClusterConfig, NodeCommands, Target};

/// Contexts that need leave, unless the config says which.
const PROTECTED: [&str; 2] = ["*prod*", "*live*"];

/// The label that names groups, unless the config says which.
const GROUPS: &str = "tier";

/// The environment of this run, and what it swaps.
pub(super) struct Picked {
    pub(super) config: EnvironmentConfig,
    pub(super) swaps: BTreeMap<String, SwapTable>,
}

pub(super) fn pick(
    checks: &mut Checks<'_>,
    mut tables: BTreeMap<String, EnvironmentTable>,
    written: Option<&String>,
    options: &LoadOptions,
) -> Option<Picked> {
    for name in tables.keys() {
        checks.named(&format!("/environments/{}", escape(name)), name);
    }
    let known: Vec<_> = tables.keys().cloned().collect();
    let name = match (&options.environment, written, known.as_slice()) {
        (Some(name), _, _) | (None, Some(name), _) | (None, None, [name]) => name,
        (None, None, []) => {
            let help = "define one, such as [environments.lab] with kind = \"lab\" and a stack file";
            checks.errors.push(Diagnostic::new("the config has no environment").with_help(help));
            return None;
        }
        (None, None, _) => {
            let message = "the config has several environments and does not say which to use";
            let help = format!("add `environment = …` or --env …; {}", choices("", &known));
            checks.refuse("/environments", message, help);
            return None;
        }
    };
    let Some(table) = tables.remove(name) else {
        match &options.environment {
            Some(name) => {
                let message = format!("--env {name}: there is no environment `{name}`");
                checks.errors.push(Diagnostic::new(message).with_help(choices(name, &known)));
            }
            None => checks.unknown("/environment", "environment", name, &known),
        }
        return None;
    };
    let at = format!("/environments/{}", escape(name));
    let (kind, swaps) = match table {
        EnvironmentTable::Lab { stack, faults } => {
            let stack = checks.path(&format!("{at}/stack"), &stack)?;
            (EnvironmentKind::Lab { stack }, faults)
        }
        EnvironmentTable::Url { url, faults } => {
            let url = base_url(&url).map_err(|problem| {
                let help = "scheme, host and port, such as \"http://127.0.0.1:8080\"";
                checks.refuse(&format!("{at}/url"), format!("`{url}` cannot be the target: {problem}"), help);
            });
            (EnvironmentKind::Url { url: url.ok()? }, faults)
        }
        EnvironmentTable::Kubernetes {
            context,
            namespace,
            target,
            allow,
            protected,
            groups,
            fail_node,
            restore_node,
            faults,
        } => {
            let protected = protected.unwrap_or_else(|| PROTECTED.map(str::to_owned).to_vec());
            check_context(checks, &at, &context, &protected, options);
            check_names(checks, &at, &namespace, &target);
            let allow_nodes = allow.contains(&Allowance::Nodes);
            for (key, command) in [("fail-node", &fail_node), ("restore-node", &restore_node)] {
                check_node_command(checks, &format!("{at}/{key}"), command.as_deref(), allow_nodes);
            }
            let commands = match (fail_node, restore_node) {
                (Some(fail), Some(restore)) => Some(NodeCommands { fail, restore }),
                (None, None) => None,
                (given, _) => {
                    let (has, lacks) = if given.is_some() {
                        ("fail-node", "restore-node")
                    } else {
                        ("restore-node", "fail-node")
                    };
                    let help = "what is powered off is powered on again, so both are needed";
                    checks.refuse(&format!("{at}/{has}"), format!("`{has}` without `{lacks}`"), help);
                    None
                }
            };
            let target = Target { service: target.service, via: target.via, port: target.port };
            let groups = groups.unwrap_or_else(|| GROUPS.to_owned());
            let config = ClusterConfig { context, namespace, target, allow_nodes, groups, commands };
            (EnvironmentKind::Kubernetes(config), faults)
        }
    };
    Some(Picked { config: EnvironmentConfig { name: name.clone(), kind }, swaps })
}

/// A context that is protected needs leave by name, each time.
fn check_context(
    checks: &mut Checks<'_>,
    at: &str,
    context: &str,
    protected: &[String],
    options: &LoadOptions,
) {
    let Some(pattern) = protected.iter().find(|pattern| fits(pattern, context)) else { return };
    if options.allow_context.as_deref() == Some(context) {
        return;
    }
    let message = format!("context `{context}` is protected: it fits `{pattern}`");
    let help = format!("if this is the cluster that shall be broken, add --allow-context {context}");
    checks.refuse(&format!("{at}/context"), message, help);
}

/// Does a text fit a pattern in which `*` stands for anything? Case does not count.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn check_names(checks: &mut Checks<'_>, at: &str, namespace: &str, target: &TargetTable) {
    let names = [("namespace", namespace), ("target/service", &target.service)];
    for (key, name) in names {
        if !is_dns_name(name) {
            let help = "letters a-z, digits and `-`, such as \"web\"";
            checks.refuse(
                &format!("{at}/{key}"),
                format!("nothing in a cluster can be called `{name}`"),
                help,
            );
        }
    }
}

/// A label of DNS, as most names in a cluster are.
pub(super) fn is_dns_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn check_node_command(checks: &mut Checks<'_>, at: &str, command: Option<&[String]>, allow_nodes: bool) {
    let Some(command) = command else { return };
    if !allow_nodes {
        checks.refuse(at, "nodes may not be touched", "add `allow = [\"nodes\"]`, or take the command out");
    }
    if !command.iter().skip(1).any(|argument| argument.contains("{node}")) {
        let help = "program and arguments, one of which holds {node}: [\"./power\", \"off\", \"{node}\"]";
        checks.refuse(at, "the command does not say which node", help);
    }
}

/// Checks a target's URL and cuts the slash at its end.
fn base_url(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let authority = uri.authority().ok_or("it has no host")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("its scheme is neither http nor https".to_owned());
    }
    if authority.as_str().contains('@') {
        return Err("it holds a user: plugins sign in, not the URL".to_owned());
    }
    if authority.host().is_empty() {
        return Err("it has no host".to_owned());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("it has a path: plugins add their own".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, text) in
            [("*prod*", "eu-Production-1"), ("a*c", "abc"), ("a*c", "ac"), ("abc", "abc"), ("*", "")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("*prod*", "k3d-test"), ("a*c", "abcd"), ("abc", "abcd"), ("a*b*b", "ab"), ("", "x")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn target_urls_are_scheme_host_and_port() {
        assert_eq!(base_url("http://127.0.0.1:8080/"), Ok("http://127.0.0.1:8080".to_owned()));
        assert_eq!(base_url("https://example.org"), Ok("https://example.org".to_owned()));
        for text in
            ["", "example.org", "ftp://example.org", "http://a@b", "http://a/b", "http://a/?b", "http://"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
