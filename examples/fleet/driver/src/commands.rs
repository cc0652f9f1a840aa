//! Running the real programs, one after the other, in the cluster's folder, with everything they print kept in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::binaries::Binaries;
use crate::error::{DemoError, Result};
use crate::process::Process;

/// Longest time that one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// Called with each command line before it is run.
pub type Echo = Arc<dyn Fn(&str) + Send + Sync>;

/// One of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The node.
    Assentd,
    /// The command line.
    Assent,
    /// The offline verifier.
    AssentVerify,
}

impl Program {
    /// The name under which people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Program::Assentd => "assentd",
            Program::Assent => "assent",
            Program::AssentVerify => "assent-verify",
        }
    }
}

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs programs in one folder.
#[derive(Clone)]
pub struct Commands {
    binaries: Binaries,
    folder: PathBuf,
    echo: Option<Echo>,
    count: Arc<AtomicU32>,
}

impl core::fmt::Debug for Commands {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Commands").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Commands {
    /// In a folder; what the commands print is kept below `commands/`.
    pub fn new(binaries: Binaries, folder: &Path, echo: Option<Echo>) -> Self {
        Commands { binaries, folder: folder.to_owned(), echo, count: Arc::default() }
    }

    /// Where the programs are.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A program, about to be run in the folder.
    pub fn program(&self, program: Program) -> Command {
        let mut command = Command::new(match program {
            Program::Assentd => &self.binaries.assentd,
            Program::Assent => &self.binaries.assent,
            Program::AssentVerify => &self.binaries.assent_verify,
        });
        command.current_dir(&self.folder);
        // Settings of the caller's own shell must not reach another cluster.
        command.env_remove("ASSENT_CONFIG");
        command
    }

    /// Shows a command line without running it.
    pub fn show(&self, program: Program, args: &[&str]) {
        if let Some(echo) = &self.echo {
            echo(&line(program, args));
        }
    }

    /// Runs a command and gives what it printed, whatever its exit code.
    pub async fn output(&self, program: Program, args: &[&str]) -> Result<Output> {
        self.show(program, args);
        let kept = self.folder.join("commands");
        fs::create_dir_all(&kept).map_err(|e| DemoError::at(&kept, e))?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let file = |ending: &str| kept.join(format!("{}-{number:03}.{ending}", program.name()));
        let (out, err) = (file("out"), file("err"));
        let mut command = self.program(program);
        command.args(args);
        let mut process = Process::start_apart(command, program.name(), &out, &err)?;
        let status = process.wait(COMMAND_MAX).await.map_err(|e| e.during(line(program, args)))?;
        Ok(Output { code: status.code(), out: read(&out)?, err: read(&err)? })
    }

    /// Runs a command that must succeed and gives its standard output.
    pub async fn run(&self, program: Program, args: &[&str]) -> Result<String> {
        let output = self.output(program, args).await?;
        match output.code {
            Some(0) => Ok(output.out),
            code => {
                let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                let line = line(program, args);
                Err(DemoError::new(format!("{line}\n    ended with {code}: {}", output.err.trim_end())))
            }
        }
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|e| DemoError::at(path, e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn line(program: Program, args: &[&str]) -> String {
    format!("{} {}", program.name(), args.join(" "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Mutex;

    fn commands(folder: &Path, program: &str, echo: Option<Echo>) -> Commands {
        let binary = PathBuf::from(program);
        let binaries = Binaries { assentd: binary.clone(), assent: binary.clone(), assent_verify: binary };
        Commands::new(binaries, folder, echo)
    }

    #[tokio::test]
    async fn output_is_given_and_kept_and_the_line_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = shown.clone();
        let echo: Echo = Arc::new(move |line| seen.lock().unwrap().push(line.to_owned()));
        let commands = commands(folder.path(), "echo", Some(echo));
        assert_eq!(commands.run(Program::Assent, &["seal", "--json"]).await.unwrap(), "seal --json\n");
        assert_eq!(*shown.lock().unwrap(), ["assent seal --json"]);
        assert_eq!(fs::read_to_string(folder.path().join("commands/assent-000.out")).unwrap(), "seal --json\n");
    }

    #[tokio::test]
    async fn a_failing_command_is_named_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let error = commands(folder.path(), "ls", None).run(Program::Assentd, &["no-such-file"]).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("assentd no-such-file\n    ended with exit code 2: "), "{text}");
    }
}
