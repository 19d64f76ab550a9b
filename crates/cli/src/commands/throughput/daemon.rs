//! Goes on without a terminal. The program starts itself again, and the first one ends when the
//! second one serves, so that a port that is taken is still reported at the terminal.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::error::Failure;
use crate::output::Output;

/// Tells the second one that it is the second one.
const MARK: &str = "SUREFOOT_IN_THE_BACKGROUND";

/// What the second one says on its standard output when it serves.
const SERVES: &str = "serves\n";

/// What this process is.
pub(super) enum DaemonStep {
    /// The one at the terminal: all is done; says whether it worked.
    AtTerminal(bool),
    /// The one that serves.
    Serving(ServingDaemon),
}

/// A process that serves, and still has the terminal's ends of its outputs.
pub(super) struct ServingDaemon(());

/// Starts the second one, or says that this is it.
pub(super) fn start(output: &Output) -> Result<DaemonStep, Failure> {
    if std::env::var_os(MARK).is_some() {
        rustix::process::setsid()
            .map_err(|error| Failure::io("cannot leave the terminal", &error.into()))?;
        return Ok(DaemonStep::Serving(ServingDaemon(())));
    }
    let failed = |error: &std::io::Error| Failure::io("cannot start the background process", error);
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    let mut child = command
        .args(words)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    // Both end when it serves, or when it ends; it says which.
    let mut said = String::new();
    let mut complaint = String::new();
    if let (Some(stdout), Some(stderr)) = (&mut child.stdout, &mut child.stderr) {
        let _ = stderr.read_to_string(&mut complaint);
        let _ = stdout.read_to_string(&mut said);
    }
    output.complain(&complaint);
    if said != SERVES {
        child.wait().map_err(|error| failed(&error))?;
        return Ok(DaemonStep::AtTerminal(false));
    }
    let id = child.id();
    output.remark(&format!("serves in the background: process {id}\n"));
    Ok(DaemonStep::AtTerminal(true))
}

impl ServingDaemon {
    /// Lets go of the terminal and of the folder: the ports are there.
    #[expect(
        clippy::unused_self,
        reason = "only the one that serves lets go, and once"
    )]
    pub(super) fn let_go(self, output: &Output) -> Result<(), Failure> {
        let failed = |error: &std::io::Error| Failure::io("cannot let go of the terminal", error);
        std::env::set_current_dir("/").map_err(|error| failed(&error))?;
        output.answer(SERVES)?;
        surefoot_sys::silence_standard_streams().map_err(|error| failed(&error))
    }
}
