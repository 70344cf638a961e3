//! From a path to a run config: read, include, override, check, resolve.

use std::{path::Path, sync::Arc};

use serde_json::Value;

use super::{
    Sources,
    diagnostic::{ConfigErrors, Diagnostic},
    file::ConfigFile,
    folder::Folder,
    json_schema,
    model::RunConfig,
    overrides,
    read::Reader,
    resolve, schema,
    sources::Texts,
    tree::{Place, segments},
};

/// Most that a run can be shortened.
const MOST_SCALE: f64 = 10_000.0;

/// What the command line adds to a config.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--env`: in place of the config's `environment`.
    pub environment: Option<String>,
    /// `--set`: `PATH=VALUE`, in order.
    pub set: Vec<String>,
    /// `--time-scale`: how many times shorter.
    pub time_scale: Option<f64>,
}

/// Reads a run config, or says everything that is wrong with it.
pub fn load(path: &Path, options: &LoadOptions) -> Result<RunConfig, ConfigErrors> {
    let folder = Folder::of(path).map_err(|error| {
        Diagnostic::new(format!("the folder of {} cannot be reached: {error}", path.display()))
    })?;
    let sources = Arc::new(read(path, &folder, options)?);
    let (file, mut errors) = parse(&sources)?;
    let scale = options.time_scale.unwrap_or(1.0);
    if !(1.0..=MOST_SCALE).contains(&scale) {
        let message = format!("--time-scale {scale}: a run can be shortened, by 1 to {MOST_SCALE} times");
        errors.push(Diagnostic::new(message));
    }
    match resolve::resolve(file, path, &folder, &sources, options) {
        Ok(config) if errors.is_empty() => Ok(config.scaled(scale)),
        Ok(_) => Err(ConfigErrors::new(errors)),
        Err(more) => {
            errors.extend(more);
            Err(ConfigErrors::new(errors))
        }
    }
}

/// All texts, merged.
fn read(path: &Path, folder: &Folder, options: &LoadOptions) -> Result<Sources, ConfigErrors> {
    let (mut texts, mut errors) = (Texts::default(), Vec::new());
    let root = Reader::new(folder, &mut texts, &mut errors).config(path);
    let (Some(mut root), true) = (root, errors.is_empty()) else {
        return Err(ConfigErrors::new(errors));
    };
    for argument in &options.set {
        if let Err(error) = overrides::apply(&mut root, &mut texts, argument) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(Sources { texts, root }) } else { Err(ConfigErrors::new(errors)) }
}

/// Checks the tree against the schema. Unknown keys alone do not keep the rest from being checked.
fn parse(sources: &Sources) -> Result<(ConfigFile, Vec<Diagnostic>), ConfigErrors> {
    let mut value = sources.root.to_json();
    let complaints = schema::complaints(&json_schema(), &value)
        .map_err(|problem| Diagnostic::new(format!("the run config's own schema is broken: {problem}")))?;
    let diagnostics: Vec<_> = complaints
        .iter()
        .map(|complaint| {
            let diagnostic = sources.at(&complaint.pointer, complaint.at_key, &complaint.message);
            Diagnostic { help: complaint.help.clone(), ..diagnostic }
        })
        .collect();
    for complaint in complaints.iter().filter(|complaint| complaint.at_key) {
        remove(&mut value, &complaint.pointer);
    }
    match serde_json::from_value(value) {
        Ok(file) if complaints.iter().all(|complaint| complaint.at_key) => Ok((file, diagnostics)),
        Err(error) if diagnostics.is_empty() => {
            Err(sources.texts.diagnostic(&Place::default(), error.to_string()).into())
        }
        _ => Err(ConfigErrors::new(diagnostics)),
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let segments: Vec<_> = segments(pointer).collect();
    let Some((last, parents)) = segments.split_last() else { return };
    let holder = parents.iter().try_fold(value, |value, segment| match value {
        Value::Object(entries) => entries.get_mut(segment),
        Value::Array(items) => segment.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        _ => None,
    });
    if let Some(Value::Object(entries)) = holder {
        entries.remove(last);
    }
}
