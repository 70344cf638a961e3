//! `[environments.NAME]`: picks where the run happens.

use std::collections::BTreeMap;

use super::{
    LoadOptions,
    checks::Checks,
    diagnostic::Diagnostic,
    explain::choices,
    file::{EnvironmentTable, SwapTable},
    model::{EnvironmentConfig, EnvironmentKind},
    tree::escape,
};

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
        EnvironmentTable::Kubernetes { .. } => {
            let usable: Vec<_> = tables
                .iter()
                .filter(|(_, table)| !matches!(table, EnvironmentTable::Kubernetes { .. }))
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let help = match usable.is_empty() {
                true => "kinds that can be used: \"lab\" and \"url\"".to_owned(),
                false => format!("environments of this config that can be used: {}", usable.join(", ")),
            };
            let message =
                format!("environment `{name}` is a Kubernetes cluster, and running on one is not built yet");
            checks.refuse(&format!("{at}/kind"), message, help);
            return None;
        }
    };
    Some(Picked { config: EnvironmentConfig { name: name.clone(), kind }, swaps })
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
