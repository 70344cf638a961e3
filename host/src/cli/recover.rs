//! `host recover`: undo what runs left behind that were killed.

use std::path::PathBuf;

use super::{
    Exit,
    runtime::block_on,
    speak::{complain_at_lines, print},
};
use crate::{
    config::{self, LoadOptions},
    run::{Recovered, recover, recover_by_config},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A run config whose cluster is to be looked into, for runs of other machines; without it, what runs
    /// of this machine left is undone.
    config: Option<PathBuf>,
    /// Only this environment.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Lets it touch this context of the kubeconfig although it is protected.
    #[arg(long, value_name = "NAME", requires = "config")]
    allow_context: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Exit {
    let Arguments { config, env, allow_context } = arguments;
    block_on(async {
        let recovered = match config {
            None => recover(env.as_deref()).await,
            Some(path) => {
                let options = LoadOptions { environment: env, allow_context, ..LoadOptions::default() };
                match config::load(&path, &options) {
                    Ok(config) => recover_by_config(&config, options).await,
                    Err(errors) => return complain_at_lines(&errors),
                }
            }
        };
        print(&said(&recovered));
        match recovered.failed {
            0 => Exit::Pass,
            _ => Exit::Fail,
        }
    })
}

fn said(recovered: &Recovered) -> String {
    let mut text: String = recovered.lines.iter().map(|line| format!("{line}\n")).collect();
    text.push_str(&match (recovered.undone, recovered.failed) {
        (0, 0) => "nothing to do\n".to_owned(),
        (undone, 0) => format!("{undone} undone\n"),
        (undone, failed) => {
            format!("{undone} undone, {failed} NOT: call it again when the reasons are gone\n")
        }
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said() {
        let line = "run r, fault cut: isolation 'cut-1' healed".to_owned();
        let recovered = Recovered { lines: vec![line], undone: 1, failed: 0, running: 0 };
        let failed = Recovered { failed: 1, ..recovered.clone() };
        insta::assert_snapshot!([Recovered::default(), recovered, failed].map(|one| said(&one)).join("--\n"));
    }
}
