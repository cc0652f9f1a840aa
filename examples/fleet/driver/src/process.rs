//! Processes that do not outlive their owner: each has a log file and is killed, by its own id, when its handle goes.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{DemoError, Result};

/// How often a process is looked at while its end is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of a log an error shows.
const LOG_LINES_SHOWN: usize = 5;

/// A process of ours.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    killed_on_drop: bool,
}

impl Process {
    /// Starts a command whose two outputs go to the end of a log file.
    ///
    /// With `own_group` a Ctrl-C in the terminal does not reach it.
    pub fn start(mut command: Command, name: &str, log: &Path, own_group: bool) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log).map_err(|e| DemoError::at(log, e));
        let (out, err) = (open()?, open()?);
        Self::spawn(command.stdout(out).stderr(err), name, log, own_group)
    }

    /// Starts a command whose standard output goes to one file, its errors to another (the log).
    pub fn start_apart(mut command: Command, name: &str, out: &Path, err: &Path) -> Result<Self> {
        let create = |path: &Path| File::create(path).map_err(|e| DemoError::at(path, e));
        Self::spawn(command.stdout(create(out)?).stderr(create(err)?), name, err, false)
    }

    fn spawn(command: &mut Command, name: &str, log: &Path, own_group: bool) -> Result<Self> {
        command.stdin(Stdio::null());
        if own_group {
            command.process_group(0);
        }
        let child = command.spawn().map_err(|e| DemoError::new(format!("cannot start {name}: {e}")))?;
        Ok(Process { child, name: name.to_owned(), log: log.to_owned(), killed_on_drop: true })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its outputs go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        // An error means that the system does not know the process any more; then it has certainly ended, and killing it is harmless.
        self.child.try_wait().ok().flatten()
    }

    /// Kills it with SIGKILL and waits until it is gone. Nothing happens when it has ended.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end; an error when it takes longer than `limit`, and the process is left as it is.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let seconds = limit.as_secs();
                return Err(DemoError::new(format!("{} did not end within {seconds} s{}", self.name, self.log_tail())));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks it to end with SIGTERM; after `grace` it is killed and that is an error.
    pub async fn terminate(&mut self, grace: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        signal(self.pid(), "TERM")?;
        let ended = self.wait(grace).await;
        if ended.is_err() {
            self.kill();
        }
        ended.map_err(|e| e.during("SIGTERM"))
    }

    /// Lets it live on after its handle goes.
    pub fn release(mut self) {
        self.killed_on_drop = false;
    }

    /// Where the log is and its last lines, for errors.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.killed_on_drop {
            self.kill();
        }
    }
}

/// Where a log is and its last lines, for errors.
pub fn log_tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
    let shown: String = tail.iter().map(|line| format!("\n    {line}")).collect();
    format!("; see {}{shown}", log.display())
}

/// Sends a signal, by name (`TERM`, `STOP`, `CONT`), to one process. The shell's own `kill` does it: it is there everywhere.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "sh", name, &pid.to_string()])
        .status()
        .map_err(|e| DemoError::new(format!("cannot run sh: {e}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(DemoError::new(format!("cannot send SIG{name} to process {pid}"))),
    }
}

/// Whether a process with this id runs whose command line holds all of these arguments. A zombie's is empty.
pub fn runs(pid: u32, arguments: &[&str]) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let present: Vec<String> = line.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    let program = present.first().map(|p| Path::new(p).file_name().unwrap_or_default().to_string_lossy().into_owned());
    arguments.iter().all(|a| present.iter().any(|p| p == a) || program.as_deref() == Some(a))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sleeper(folder: &Path) -> Process {
        let mut command = Command::new("sleep");
        command.arg("600");
        Process::start(command, "sleep", &folder.join("log"), false).unwrap()
    }

    #[test]
    fn a_process_dies_with_its_handle() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let pid = process.pid();
        // The new program's command line is there a moment after its start.
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !runs(pid, &["sleep", "600"]) {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(!runs(pid, &["assentd"]));
        drop(process);
        assert!(!runs(pid, &["sleep"]));
    }

    #[test]
    fn a_panic_takes_the_process_along() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let pid = process.pid();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = process;
            std::panic::resume_unwind(Box::new("stop"));
        }));
        assert!(panicked.is_err() && !runs(pid, &["sleep"]));
    }

    #[tokio::test]
    async fn ends_are_waited_for_within_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        let error = process.wait(Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("did not end within 0 s; see "), "{error}");
        let status = process.terminate(Duration::from_secs(20)).await.unwrap();
        assert!(!status.success());
        assert!(process.terminate(Duration::ZERO).await.is_ok(), "it has ended already");
    }
}
