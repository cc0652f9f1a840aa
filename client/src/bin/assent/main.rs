//! `assent`: the command line of Assent.
//!
//! Exit codes: 0 done (for `evaluate`: allowed), 1 error, 2 wrong usage, 3 not allowed (`evaluate` only), 141 the output's reader
//! has gone.

mod approval;
#[cfg(feature = "policy")]
mod attack;
mod bundle;
mod capability;
mod cluster;
mod context;
mod control;
mod decision;
mod entries;
mod envelope;
mod evaluate;
mod execution;
mod export;
mod files;
mod identity;
mod keys;
mod label;
mod lists;
mod memory;
mod message;
mod output;
#[cfg(feature = "policy")]
mod policy;
mod proofs;
mod run;
mod seals;
mod signal;
mod tenant;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::output::CliError;

/// Asks, administers and audits an Assent ledger.
#[derive(Debug, Parser)]
#[command(name = "assent", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: context::Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done (evaluate: allowed), 1 error, 2 wrong usage, 3 not allowed (evaluate), 141 output closed.
Errors go to standard error and say whether anything was recorded.
Connection: --config FILE, $ASSENT_CONFIG or ./.assent/client.toml with the keys endpoints, ca, cert, key, token_file,
root_key, origin, domain, tenant (paths relative to the file); flags win over the file.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes, endorses and retires keys; development certificates
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Creates the ledger and administers its nodes
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Tenants
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Principals: the agents and people that act
    #[command(subcommand)]
    Principal(tenant::Principal),
    /// Credentials: bearer tokens and their roles
    #[command(subcommand)]
    Credential(tenant::Credential),
    /// Runs: opening, closing, modes, taint, steps
    #[command(subcommand)]
    Run(run::Run),
    /// Policy bundles
    #[command(subcommand)]
    Bundle(bundle::Bundle),
    /// Checks, tests, compares and activates policy bundles
    #[cfg(feature = "policy")]
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Stops agents, tools and tenants at once
    #[command(subcommand)]
    KillSwitch(control::KillSwitch),
    /// Signals about agents: how risky or busy they are
    #[command(subcommand)]
    Signal(signal::Signal),
    /// Payloads
    #[command(subcommand)]
    Payload(control::Payload),
    /// The kernel's version
    #[command(subcommand)]
    Kernel(control::Kernel),
    /// Approvals
    #[command(subcommand)]
    Approval(approval::Approval),
    /// Capabilities that are given for a time
    #[command(subcommand)]
    Capability(capability::Capability),
    /// Says what an action would come to now; records nothing
    Check(evaluate::Evaluate),
    /// Asks whether an action is allowed; records the decision
    Evaluate(evaluate::Evaluate),
    /// Asks to run what was allowed; of all that ask, at most one may
    Redeem(execution::RedeemArgs),
    /// Reports what came of an execution
    Complete(execution::CompleteArgs),
    /// What agents keep for later
    #[command(subcommand)]
    Memory(memory::Memory),
    /// Signed messages between agents
    #[command(subcommand)]
    Message(message::Message),
    /// Decisions that wait to be redeemed, and executions without an outcome
    #[command(subcommand)]
    Intents(execution::Intents),
    /// What became of a request id
    Status(evaluate::StatusArgs),
    /// Lists entries
    Entries(entries::EntriesArgs),
    /// Shows one entry in full
    Show(entries::ShowArgs),
    /// Proves an entry under a co-signed checkpoint; writes a .tlog-proof file
    Prove(proofs::ProveArgs),
    /// Checks a .tlog-proof file
    CheckProof(proofs::CheckProofArgs),
    /// Receipts
    #[command(subcommand)]
    Receipt(proofs::Receipt),
    /// Lists seals
    Seals(seals::SealsArgs),
    /// Seals what is there now
    Seal(seals::SealArgs),
    /// Fetches and verifies the newest co-signed checkpoint
    Checkpoint(seals::CheckpointArgs),
    /// Copies the ledger's entries, hashes and checkpoint into a folder; goes on where it stopped
    Export(export::ExportArgs),
    /// Plays scripted attacks and ordinary work against a policy, and prints both rates
    #[cfg(feature = "policy")]
    Attack(attack::AttackArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::report(&CliError::Failed(format!("cannot start: {error}")), json),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => output::report(&error, json),
    }
}

async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let context = Context::new(cli.global);
    match cli.command {
        Command::Keys(command) => keys::run(&context, command).await,
        Command::Cluster(command) => cluster::run(&context, command).await,
        Command::Tenant(command) => tenant::run_tenant(&context, command).await,
        Command::Principal(command) => tenant::run_principal(&context, command).await,
        Command::Credential(command) => tenant::run_credential(&context, command).await,
        Command::Run(command) => run::run(&context, command).await,
        Command::Bundle(command) => bundle::run(&context, command).await,
        #[cfg(feature = "policy")]
        Command::Policy(command) => return policy::run(&context, command).await,
        Command::KillSwitch(command) => control::run_kill_switch(&context, command).await,
        Command::Signal(command) => signal::run(&context, command).await,
        Command::Payload(command) => control::run_payload(&context, command).await,
        Command::Kernel(command) => control::run_kernel(&context, command).await,
        Command::Approval(command) => return approval::run(&context, command).await,
        Command::Capability(command) => return capability::run(&context, command).await,
        Command::Check(args) => return evaluate::check(&context, args).await,
        Command::Evaluate(args) => return evaluate::run(&context, args).await,
        Command::Redeem(args) => return execution::redeem(&context, args).await,
        Command::Complete(args) => return execution::complete(&context, args).await,
        Command::Memory(command) => return memory::run(&context, command).await,
        Command::Message(command) => return message::run(&context, command).await,
        Command::Intents(command) => execution::intents(&context, command).await,
        Command::Status(args) => evaluate::status(&context, args).await,
        Command::Entries(args) => entries::list(&context, args).await,
        Command::Show(args) => entries::show(&context, args).await,
        Command::Prove(args) => proofs::prove(&context, args).await,
        Command::CheckProof(args) => proofs::check_proof(&context, args).await,
        Command::Receipt(command) => proofs::receipt(&context, command).await,
        Command::Seals(args) => seals::list(&context, args).await,
        Command::Seal(args) => seals::seal(&context, args).await,
        Command::Checkpoint(args) => seals::checkpoint(&context, args).await,
        Command::Export(args) => export::run(&context, args).await,
        #[cfg(feature = "policy")]
        Command::Attack(args) => return attack::run(&context, args).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn check(path: &str, command: &clap::Command, globals: &[String]) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            assert!(!globals.iter().any(|global| global == id), "{path}: {id} is a flag of all commands");
            assert!(argument.get_help().is_some(), "{path}: {id} has no help");
        }
        assert!(command.get_about().is_some(), "{path} has no help");
        for sub in command.get_subcommands() {
            check(&format!("{path} {}", sub.get_name()), sub, globals);
        }
    }

    /// An argument with the name of a flag that all commands have would be read as that flag.
    #[test]
    fn every_command_and_argument_has_help_and_no_argument_hides_a_flag_of_all_commands() {
        Cli::command().debug_assert();
        let cli = Cli::command();
        let globals: Vec<String> = cli.get_arguments().map(|argument| argument.get_id().to_string()).collect();
        for sub in cli.get_subcommands() {
            check(sub.get_name(), sub, &globals);
        }
    }
}
