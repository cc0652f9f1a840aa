//! `assent policy`: what can be asked of a policy bundle without a node (check, lint, test, diff, explain, presets), and putting one in
//! force. Errors are printed as `file:line:column: message (hint)`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assent_client::scenario::{self, Library};
use assent_kernel::bundle::{self, BundleError, Call, CompiledBundle, NoFacts};
use assent_kernel::value;
use assent_ledger::hash::Hash;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::bundle::{ActivateArgs, activate_source, previously_active, read};
use crate::context::Context;
use crate::execution::bytes_of;
use crate::output::{CliError, warn};

/// Exit code of a bundle with errors, of cases that fail, and of lints under `lint`.
const FOUND: u8 = 1;

/// Policy commands.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Says whether a bundle loads, and what looks wrong; exits with 1 when it does not load
    Check(SourceArgs),
    /// The same, but what only looks wrong exits with 1 too
    Lint(SourceArgs),
    /// Runs case files against the kernel in this process; exits with 1 when one fails
    Test(TestArgs),
    /// What changes between two bundles, by meaning
    Diff {
        /// The bundle before
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The bundle after
        #[arg(value_name = "NEW")]
        new: PathBuf,
    },
    /// Why a bundle decides a first call as it does, step by step
    Explain(ExplainArgs),
    /// Lists the bundles that ship with Assent, or prints one
    Presets {
        /// The one to print
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Makes a bundle the active one of an environment; a file or folder is checked and offered first
    Activate(ActivateArgs),
    /// Makes the bundle active again that was active before the present one
    Rollback {
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The environment, such as prod
        #[arg(long)]
        environment: String,
    },
}

/// A bundle's source.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The bundle's file, or a folder with a bundle.yaml
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
}

/// Cases to run.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The bundle that cases use which name none
    #[arg(value_name = "FILE|DIR")]
    bundle: PathBuf,
    /// A folder of case files, or one file
    #[arg(long, value_name = "DIR|FILE")]
    cases: PathBuf,
}

/// A call to explain.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The bundle's file, or a folder with a bundle.yaml
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    /// Who calls
    #[arg(long)]
    subject: String,
    /// The tool
    #[arg(long)]
    tool: String,
    /// The arguments as JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    inputs: String,
}

pub async fn run(context: &Context, command: Policy) -> Result<ExitCode, CliError> {
    match command {
        Policy::Check(args) => check(context, &args.source, false),
        Policy::Lint(args) => check(context, &args.source, true),
        Policy::Test(args) => test(context, args).await,
        Policy::Diff { old, new } => diff(context, &old, &new),
        Policy::Explain(args) => explain(context, args),
        Policy::Presets { name } => presets(context, name.as_deref()),
        Policy::Activate(args) => {
            if args.source.parse::<Hash>().is_err() {
                compiled(Path::new(&args.source))?;
            }
            activate_source(context, args).await.map(|()| ExitCode::SUCCESS)
        }
        Policy::Rollback { tenant, environment } => {
            let source = previously_active(context, &tenant, &environment).await?.to_string();
            activate_source(context, ActivateArgs { source, tenant, environment }).await.map(|()| ExitCode::SUCCESS)
        }
    }
}

/// The file whose lines the errors name.
fn shown(source: &Path) -> String {
    let file = if source.is_dir() { source.join("bundle.yaml") } else { source.to_owned() };
    file.display().to_string()
}

fn in_words(source: &Path, errors: &[BundleError]) -> String {
    let path = shown(source);
    errors.iter().map(|error| error.in_file(&path)).collect::<Vec<_>>().join("\n")
}

fn compiled(source: &Path) -> Result<CompiledBundle, CliError> {
    let text = read(source)?;
    bundle::compile(&text)
        .map_err(|errors| CliError::Failed(format!("the bundle does not load\n{}", in_words(source, &errors))))
}

fn check(context: &Context, source: &Path, strict: bool) -> Result<ExitCode, CliError> {
    let (errors, lints) = bundle::check(&read(source)?);
    let (out, path) = (context.out(), shown(source));
    for error in &errors {
        let value = json!({"level": "error", "file": path, "line": error.line, "column": error.column,
            "message": error.message, "hint": error.hint});
        out.emit(&value, || error.in_file(&path))?;
    }
    for lint in &lints {
        let value = json!({"level": "warning", "file": path, "line": lint.line, "column": lint.column,
            "message": lint.message});
        out.emit(&value, || format!("{path}:{}:{}: warning: {}", lint.line, lint.column, lint.message))?;
    }
    warn(&format!("{path}: {} errors, {} warnings", errors.len(), lints.len()));
    let found = !errors.is_empty() || (strict && !lints.is_empty());
    Ok(if found { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

async fn test(context: &Context, args: TestArgs) -> Result<ExitCode, CliError> {
    let text = read(&args.bundle)?;
    compiled(&args.bundle)?;
    let loaded =
        if args.cases.is_dir() { scenario::load_folder(&args.cases) } else { scenario::load_file(&args.cases) };
    let (mut failed, mut count) = (0usize, 0usize);
    for mut one in loaded.map_err(|e| CliError::Failed(e.to_string()))? {
        if one.bundle.is_none() && one.bundle_text.is_none() {
            one.bundle_text = Some(String::from_utf8_lossy(&text).into_owned());
        }
        let mut library = Library::new().map_err(CliError::Failed)?;
        let outcome = scenario::run(&mut library, &one).await;
        let outcome = outcome.map_err(|e| CliError::Failed(format!("{} ({}): {e}", one.name, one.path.display())))?;
        count += 1;
        failed += usize::from(!outcome.failures.is_empty());
        let failures: Vec<String> = outcome.failures.iter().map(|f| format!("step {}: {}", f.step, f.what)).collect();
        let value = json!({"case": one.name, "file": one.path, "passed": failures.is_empty(), "failures": failures});
        context.out().emit(&value, || match failures.is_empty() {
            true => format!("ok    {}", one.name),
            false => format!("FAIL  {} ({})\n      {}", one.name, one.path.display(), failures.join("\n      ")),
        })?;
    }
    warn(&format!("{count} cases, {failed} failed"));
    // A folder without cases is a mistake, not a success.
    Ok(if failed > 0 || count == 0 { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn diff(context: &Context, old: &Path, new: &Path) -> Result<ExitCode, CliError> {
    compiled(old)?;
    compiled(new)?;
    let changes = bundle::diff(&read(old)?, &read(new)?)
        .map_err(|errors| CliError::Failed(format!("a bundle does not load\n{}", in_words(new, &errors))))?;
    for change in &changes {
        context
            .out()
            .emit(&json!({"section": change.section, "item": change.item, "change": change.to_string()}), || {
                change.to_string()
            })?;
    }
    if changes.is_empty() && !context.out().is_json() {
        context.out().line("the same by meaning")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(context: &Context, args: ExplainArgs) -> Result<ExitCode, CliError> {
    let bundle = compiled(&args.source)?;
    let Some(tool) = bundle.tool(&args.tool) else {
        return Err(CliError::Failed(format!("the bundle declares no tool {}", args.tool)));
    };
    let inputs = bytes_of(args.inputs)?;
    let inputs = value::parse_object(&inputs).map_err(|e| CliError::Failed(format!("the inputs: {e}")))?;
    tool.check_arguments(&inputs).map_err(|e| CliError::Failed(format!("the arguments do not fit the tool: {e}")))?;
    let lines = bundle.explain(&Call { subject: &args.subject, tool, args: &inputs }, &NoFacts, None, None);
    context.out().emit(&json!(lines), || lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn presets(context: &Context, name: Option<&str>) -> Result<ExitCode, CliError> {
    let all = bundle::presets();
    match name {
        Some(name) => {
            let found = all.iter().find(|preset| preset.name == name);
            let found =
                found.ok_or_else(|| CliError::Usage(format!("there is no preset {name}; list them without a name")))?;
            context.out().emit(&json!({"name": found.name, "source": found.source}), || found.source.to_owned())?;
        }
        None => {
            for preset in all {
                let value = json!({"name": preset.name, "description": preset.description});
                context.out().emit(&value, || format!("{:<20}  {}", preset.name, preset.description))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
