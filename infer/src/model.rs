//! A model's file, and how it comes to run.

use std::fmt::Write;
use std::path::PathBuf;
use std::thread;

use anyhow::Context;
use bytes::Bytes;
use kernels::{CpuKernels, Machine, Plan};
use models_onnx::proto::ModelProto;
use models_runtime::{Options, Session};
use program::{Console, Exit, Failure, OrExit};

use crate::Arguments;
use crate::contract::Contract;
use crate::journal;

/// A model that is ready to run.
pub(crate) struct Opened {
    /// What it takes and gives.
    pub contract: Contract,
    /// On each device.
    pub sessions: Vec<Session>,
    /// Of the file.
    pub hash: String,
    /// How many nodes run on kernels of our own, where any does.
    pub kernels: Option<String>,
}

/// A model's file.
pub(crate) struct Model {
    path: PathBuf,
    file: Bytes,
    graph: ModelProto,
    /// What it takes and gives.
    pub contract: Contract,
    /// Which of its nodes run on kernels of our own, where the CPU runs it.
    kernels: Plan,
}

impl Model {
    /// Reads the file.
    pub fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let path = &arguments.model;
        let file = std::fs::read(path).with_context(|| format!("--model {}", path.display()));
        let file = Bytes::from(file.or_exit(Exit::CannotStart)?);
        let read = || {
            let graph = models_onnx::parse(file.clone())?;
            let contract = Contract::read(&graph, path, &arguments.contract)?;
            anyhow::Ok((graph, contract))
        };
        let (graph, contract) = read().with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?;
        let kernels = match arguments.device.cpu_kernels {
            CpuKernels::Auto if Machine::detect() == Machine::Portable => CpuKernels::Off,
            asked => asked,
        };
        let kernels = Plan::new(&graph, kernels);
        Ok(Self { path: path.clone(), file, graph, contract, kernels })
    }

    /// A session on each device, and the model's hash, which is made meanwhile. The file is given up for them: what they need
    /// of its weights they hold themselves.
    pub fn open(self, arguments: &Arguments, console: &Console) -> Result<Opened, Failure> {
        let Contract { data, data_files, .. } = &self.contract;
        let mut is_rewritten = false;
        let open = |options| {
            let for_cpu = || self.with_kernels(options, console).inspect(|_| is_rewritten = true);
            Session::with_operators(&self.file, data.as_deref(), options, for_cpu)
        };
        let (sessions, hash) = thread::scope(|scope| {
            let hash = scope.spawn(|| journal::model_hash(&self.file, data_files));
            let sessions: Result<Vec<Session>, _> = arguments.device.options().into_iter().map(open).collect();
            let sessions = sessions.with_context(|| self.path.display().to_string()).or_exit(Exit::CannotStart)?;
            let hash = hash.join().expect("hashing does not panic").or_exit(Exit::CannotStart)?;
            Ok((sessions, hash))
        })?;
        let kernels = is_rewritten.then(|| {
            let decisions = self.kernels.decisions();
            let replaced = decisions.iter().filter(|decision| decision.replaced.is_ok()).count();
            format!("our own for {replaced} of {} convolutions and norms, else ONNX Runtime's", decisions.len())
        });
        let mut contract = self.contract;
        if is_rewritten {
            let kept = self.kernels.kept_bytes_per_pixel().saturating_mul(contract.batch.unwrap_or(1) as u64);
            contract.bytes_per_pixel = contract.bytes_per_pixel.saturating_add(kept);
        }
        Ok(Opened { contract, sessions, hash, kernels })
    }

    /// The model with our kernels; none where it has no place for them, or they cannot be had, which is said.
    fn with_kernels(&self, options: Options, console: &Console) -> Option<(Vec<u8>, kernels::OperatorDomain)> {
        if self.kernels.is_empty() {
            return None;
        }
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or_else(cores);
        let rewritten = self.kernels.apply(&self.graph, Machine::detect(), threads);
        let rewritten = rewritten.and_then(kernels::Rewritten::operators);
        rewritten.inspect_err(|error| console.always(format!("without kernels of our own: {error}"))).ok()
    }

    /// Which nodes our kernels replace, and why not others; a line each.
    pub fn print_kernels(&self) -> String {
        let decisions = self.kernels.decisions();
        let width = decisions.iter().map(|decision| decision.node.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for kernels::Decision { node, operator, replaced } in decisions {
            let what = match replaced {
                Ok(by) => format!("replaced by {by}"),
                Err(why) => format!("stays: {why}"),
            };
            // Writing to a string cannot fail.
            let _written = write!(text, "\nkernel  {node:width$}  {operator:21}  {what}");
        }
        text
    }
}
