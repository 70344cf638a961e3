//! `host lab`: keep a lab up in the foreground, and work with one that is up.

use std::{
    io::{self, IsTerminal, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use comfy_table::{Cell, CellAlignment, Table, presets};

use super::{Exit, runtime::block_on, speak::complain};
use crate::{
    environment::{
        Environment, EnvironmentError, Selector,
        lab::{InstanceStatus, Lab, LabOptions, Listening, Stack, rootfs, running, socket_path},
    },
    observe::{Clock, Fact, Stream},
};

/// How long a lab may take until everything in it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How long a lab that was asked to end may take: longer than the longest grace of its instances.
const DOWN_WITHIN: Duration = Duration::from_secs(60);

/// Over which time `status` measures processor use.
const MEASURED: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a lab and keep it until Ctrl-C or `host lab down`.
    Up(Up),
    /// List the instances of a lab that is up.
    Status(Which),
    /// Run a command inside an instance.
    Exec(Exec),
    /// End a lab that is up.
    Down(Which),
    /// Say where a stack's root file system belongs and what is in it.
    Rootfs(Rootfs),
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// The stack file.
    stack: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The stack's name, if more than one lab is up.
    #[arg(long)]
    stack: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Exec {
    #[command(flatten)]
    which: Which,
    /// The instance, as `host lab status` names it.
    instance: String,
    /// What to run in it, after `--`.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Rootfs {
    /// The stack file.
    stack: PathBuf,
}

/// What went wrong, and how the program ends with it.
#[derive(Debug)]
struct Failure(Exit, String);

impl From<EnvironmentError> for Failure {
    fn from(error: EnvironmentError) -> Self {
        Self(Exit::NotReady, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(Exit::Internal, error.to_string())
    }
}

pub(super) fn run(command: Command) -> Exit {
    block_on(async {
        let done = match command {
            Command::Up(up) => keep_up(up).await,
            Command::Status(which) => status(which).await,
            Command::Exec(exec) => enter(exec).await,
            Command::Down(which) => down(which).await,
            Command::Rootfs(arguments) => describe(&arguments),
        };
        done.unwrap_or_else(|Failure(exit, message)| complain(exit, &message))
    })
}

fn load(path: &std::path::Path) -> Result<Stack, Failure> {
    Stack::load(path).map_err(|error| Failure(Exit::Usage, error.to_string()))
}

async fn keep_up(up: Up) -> Result<Exit, Failure> {
    let stack = load(&up.stack)?;
    let stream = Stream::new(Clock::start());
    let listening = Listening::at(&socket_path(stack.name())).await?;
    let mut events = stream.subscribe();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Some(line) = event_line(&event.fact) {
                eprintln!("{:>8.3}s  {line}", Duration::from_nanos(event.at).as_secs_f64());
            }
        }
    });
    let lab = Arc::new(Lab::start(&stack, stream, LabOptions::default()).await?);
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let serving = async {
        let ready = async {
            lab.wait_ready(READY_WITHIN).await?;
            println!("lab {} is up at {}; Ctrl-C or `host lab down` ends it", stack.name(), lab.base_url());
            std::future::pending::<Result<(), EnvironmentError>>().await
        };
        // Whoever attaches while instances still start sees them start.
        tokio::select! {
            failed = ready => failed,
            served = listening.serve(&lab) => served,
        }
    };
    let done = tokio::select! {
        done = serving => done,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        error = lab.ended() => Err(error),
    };
    lab.close().await?;
    done?;
    Ok(Exit::Pass)
}

fn event_line(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Instance(change) => Some(change.to_string()),
        Fact::Finding { message, .. } => Some(message.clone()),
        _ => None,
    }
}

/// The lab that is meant, among those that are up.
/// The stack's name.
async fn choose(which: &Which) -> Result<String, Failure> {
    if let Some(name) = &which.stack {
        return Ok(name.clone());
    }
    match running().await?.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure(Exit::NotReady, "no lab is up; `host lab up` starts one".to_owned())),
        more => {
            let text = format!("more than one lab is up: choose with --stack among {}", more.join(", "));
            Err(Failure(Exit::Usage, text))
        }
    }
}

async fn attach(which: &Which) -> Result<Lab, Failure> {
    let name = choose(which).await?;
    match Lab::attach(&socket_path(&name), Stream::new(Clock::start())).await? {
        Some(lab) => Ok(lab),
        None => Err(Failure(Exit::NotReady, format!("lab {name} is not up; `host lab up` starts it"))),
    }
}

async fn status(which: Which) -> Result<Exit, Failure> {
    let lab = attach(&which).await?;
    let all: Selector = "".parse().map_err(|error| Failure(Exit::Internal, format!("{error}")))?;
    // The first reading is what the second one is compared with.
    lab.usage(&all).await?;
    tokio::time::sleep(MEASURED).await;
    let usage = lab.usage(&all).await?;
    let rows = lab.status().await?;
    let table = table(&rows, |instance| {
        usage.iter().find(|one| one.subject == instance).map(|one| (one.cpu, one.memory))
    });
    writeln!(io::stdout(), "{table}")?;
    Ok(Exit::Pass)
}

/// One line for each instance; `usage` knows thousandths of a processor and bytes.
fn table(rows: &[InstanceStatus], usage: impl Fn(&str) -> Option<(u64, u64)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !io::stdout().is_terminal() {
        // Whoever reads this by a program wants one line for each instance.
        table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    }
    table.set_header(["INSTANCE", "NODE", "ADDRESS", "STATE", "RESTARTS", "CPU", "MEMORY", ""]);
    for row in rows {
        let used = usage(&row.name);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&row.name),
            Cell::new(&row.node),
            Cell::new(&row.address),
            Cell::new(&row.state),
            right(row.restarts.to_string()),
            right(used.map_or_else(|| "-".to_owned(), |(cpu, _)| format!("{cpu}m"))),
            right(used.map_or_else(|| "-".to_owned(), |(_, memory)| ByteSize(memory).to_string())),
            Cell::new(&row.detail),
        ]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

async fn enter(exec: Exec) -> Result<Exit, Failure> {
    let lab = attach(&exec.which).await?;
    let mut command = lab.enter(&exec.instance, exec.command).await?;
    // From here on this process is the command: its input, output and exit code are passed on.
    Err(command.exec().into())
}

async fn down(which: Which) -> Result<Exit, Failure> {
    let which = Which { stack: Some(choose(&which).await?) };
    attach(&which).await?.shut_down().await?;
    // Whoever asked for it may start the next one at once.
    let begun = Instant::now();
    while running().await?.iter().any(|name| which.stack.as_ref() == Some(name)) {
        if begun.elapsed() > DOWN_WITHIN {
            let text = format!("the lab has not ended within {} s", DOWN_WITHIN.as_secs());
            return Err(Failure(Exit::Internal, text));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Exit::Pass)
}

/// For the script that builds it: one fact a line, the kind first.
fn describe(arguments: &Rootfs) -> Result<Exit, Failure> {
    let stack = load(&arguments.stack)?;
    let recipe = stack.recipe();
    let mut out = io::stdout().lock();
    writeln!(out, "path {}", recipe.path().display())?;
    writeln!(out, "suite {}", rootfs::SUITE)?;
    for package in recipe.packages() {
        writeln!(out, "package {package}")?;
    }
    for (path, text) in recipe.files() {
        use base64::Engine as _;
        writeln!(out, "file {path} {}", base64::engine::general_purpose::STANDARD.encode(text))?;
    }
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_listed() {
        let row = |name: &str, state: &str, detail: &str| InstanceStatus {
            name: name.to_owned(),
            node: "node-1".to_owned(),
            address: "10.77.1.1".to_owned(),
            state: state.to_owned(),
            restarts: 2,
            detail: detail.to_owned(),
        };
        let rows = [row("web-0", "ready", ""), row("web-1", "pending", "ended with status 3")];
        let usage = |name: &str| (name == "web-0").then_some((250, 64 << 20));
        insta::assert_snapshot!(table(&rows, usage));
    }
}
