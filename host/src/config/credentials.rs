//! Reads secrets, when a run starts and not before: a plan needs none.

use std::{collections::BTreeMap, env::VarError, io::Read as _, path::Path};

use super::{
    diagnostic::{ConfigErrors, Diagnostic},
    model::{Credential, EnvironmentKind, RunConfig, Secret, SecretKey, SecretSource},
    tree::escape,
};

/// Longest secret that is read from a file.
const LONGEST: u64 = 64 << 10;

/// Complains of passwords that cannot be read, as far as that is known before there is a lab.
pub fn check_credentials(config: &RunConfig) -> Result<(), ConfigErrors> {
    let promised = match &config.environment.kind {
        EnvironmentKind::Lab { .. } => {
            config.lab_secrets().map(|name| (name.to_owned(), String::new())).collect()
        }
        EnvironmentKind::Kubernetes(_) => {
            config.cluster_secrets().map(|key| (key.to_string(), String::new())).collect()
        }
        EnvironmentKind::Url { .. } => BTreeMap::new(),
    };
    resolve_credentials(config, &promised).map(drop)
}

/// Reads all passwords that the config names. `supplied` has those of the environment: by name what a
/// lab made up, and as `NAME/KEY` what a cluster keeps.
pub fn resolve_credentials(
    config: &RunConfig,
    supplied: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Credential>, ConfigErrors> {
    let mut credentials = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, credential) in &config.credentials {
        let found = match &credential.password {
            SecretSource::Env(variable) => from_env(variable),
            SecretSource::File(path) => from_file(path),
            SecretSource::Environment { lab, cluster } => {
                from_environment(&config.environment.kind, lab.as_deref(), cluster.as_ref(), supplied)
            }
        };
        match found {
            Ok(password) => {
                let user = credential.user.clone();
                credentials.insert(name.clone(), Credential { user, password: Secret(password) });
            }
            Err((message, help)) => {
                let message = format!("the password of credential `{name}` cannot be read: {message}");
                let pointer = format!("/credentials/{}/password", escape(name));
                let diagnostic = config.sources.at(&pointer, false, message);
                errors.push(Diagnostic { help: Some(help), ..diagnostic });
            }
        }
    }
    if errors.is_empty() { Ok(credentials) } else { Err(ConfigErrors::new(errors)) }
}

fn from_environment(
    kind: &EnvironmentKind,
    lab: Option<&str>,
    cluster: Option<&SecretKey>,
    supplied: &BTreeMap<String, String>,
) -> Result<String, (String, String)> {
    let (wanted, help) = match kind {
        EnvironmentKind::Kubernetes(_) => {
            (cluster.map(SecretKey::to_string), "a cluster keeps secrets: add kube-secret = \"NAME/KEY\"")
        }
        EnvironmentKind::Lab { .. } | EnvironmentKind::Url { .. } => {
            (lab.map(str::to_owned), "only a lab makes up secrets, those that its stack names")
        }
    };
    let message = match &wanted {
        Some(secret) => format!("this environment has no secret `{secret}`"),
        None => "it has no source in this environment".to_owned(),
    };
    wanted.and_then(|secret| supplied.get(&secret).cloned()).ok_or_else(|| (message, help.to_owned()))
}

fn from_env(variable: &str) -> Result<String, (String, String)> {
    std::env::var(variable).map_err(|error| match error {
        VarError::NotPresent => (
            format!("the environment variable {variable} is not set"),
            format!("set it before the run: export {variable}=…"),
        ),
        VarError::NotUnicode(_) => {
            (format!("the environment variable {variable} is not UTF-8"), "secrets are UTF-8 text".to_owned())
        }
    })
}

fn from_file(path: &Path) -> Result<String, (String, String)> {
    let shown = path.display();
    let mut text = String::new();
    let read = fs_err::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    if let Err(error) = read {
        return Err((error.to_string(), "the file holds the secret and nothing else".to_owned()));
    }
    if text.len() as u64 > LONGEST {
        return Err((format!("{shown} is larger than 64 KiB"), "it holds nothing but the secret".to_owned()));
    }
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    Ok(secret.strip_suffix('\r').unwrap_or(secret).to_owned())
}
