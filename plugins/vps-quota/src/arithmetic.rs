//! Do the requests fit? Figures are unscaled: what production would have.

use assay_sdk::cluster::Workload;
use assay_sdk::prelude::*;

use crate::config::{Config, Mode};

/// What a set of workloads asks for.
pub(crate) struct Need {
    cpu: u64,
    memory: u64,
    /// Workloads that are counted but do not run here.
    declared: Vec<String>,
    /// Workloads that ask for nothing and yet need something.
    silent: Vec<String>,
}

impl Need {
    pub(crate) fn of(workloads: &[Workload]) -> Need {
        let mut need = Need { cpu: 0, memory: 0, declared: Vec::new(), silent: Vec::new() };
        for workload in workloads.iter().filter(|it| it.desired > 0) {
            let count = u64::from(workload.desired);
            let (cpu, memory) = (workload.cpu_request.unwrap_or(0), workload.memory_request.unwrap_or(0));
            need.cpu += count * cpu;
            need.memory += count * memory;
            if workload.declared_only {
                need.declared.push(format!("{} {count} × {cpu}m, {}", workload.name, mebibytes(memory)));
            }
            if workload.cpu_request.is_none() || workload.memory_request.is_none() {
                need.silent.push(workload.name.clone());
            }
        }
        need
    }

    /// The arithmetic, a finding each: above what is allowed, above what there is, or fitting.
    pub(crate) fn findings(&self, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(cpu) = config.cpu {
            let figures = format!("CPU requests {}m of {}m", self.cpu, cpu.millicores());
            findings.push(judge(config.mode, figures, self.cpu, cpu.millicores(), config.overcommit.cpu));
        }
        if let Some(memory) = config.memory {
            let figures =
                format!("memory requests {} of {}", mebibytes(self.memory), mebibytes(memory.bytes()));
            findings.push(judge(config.mode, figures, self.memory, memory.bytes(), config.overcommit.memory));
        }
        if !self.declared.is_empty() {
            let message =
                format!("counted, but declared only and not running here: {}", self.declared.join("; "));
            findings.push(Finding::note(message));
        }
        if !self.silent.is_empty() {
            let message =
                format!("without a request, and so not in the arithmetic: {}", self.silent.join(", "));
            findings.push(Finding::warning(message));
        }
        findings
    }
}

fn judge(mode: Mode, figures: String, need: u64, there: u64, allowed: Percent) -> Finding {
    let ratio = need as f64 / there as f64;
    let mut message = format!("{figures}: {} %", numbers::rounded(ratio * 100.0, 1));
    if allowed.ratio() != 1.0 {
        message += &format!(" (allowed {} %)", numbers::rounded(allowed.ratio() * 100.0, 1));
    }
    match ratio {
        ratio if ratio <= 1.0 && ratio <= allowed.ratio() => Finding::note(message),
        ratio if ratio <= allowed.ratio() => Finding::warning(message),
        // Nothing binds where nothing is enforced, so the run can tell something all the same.
        _ if mode == Mode::Observe => Finding::warning(message),
        _ => Finding::blocking(message),
    }
}

/// Bytes in the unit that requests are written in: 6Gi is "6144Mi".
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", numbers::rounded(bytes as f64 / (1 << 20) as f64, 1))
}

/// Millicores as a number of processors: "3 CPU".
pub(crate) fn cores(millicores: u64) -> String {
    format!("{} CPU", numbers::rounded(millicores as f64 / 1000.0, 3))
}
