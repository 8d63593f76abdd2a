//! What becomes of a panic: a defect of this program, never of the user. It ends with a report instead of a trace.

use std::backtrace::Backtrace;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{PanicHookInfo, UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::output;

/// The exit code of a defect.
pub(crate) const DEFECT: u8 = 101;

/// Runs `work`; a panic in it, on any thread, is told in a line and kept in a report.
pub(crate) fn guard(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    std::panic::set_hook(Box::new(|info| tell(&report(info), &std::env::temp_dir())));
    let work = || {
        // What a user never sees must be seen by a test of the whole program; no program that is released has it.
        assert!(!(cfg!(debug_assertions) && std::env::var_os("DUALPROP_DEFECT").is_some()), "a defect on purpose");
        work()
    };
    catch_unwind(work).unwrap_or_else(|_| ExitCode::from(DEFECT))
}

/// All that helps to find the defect.
fn report(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a value that is no text");
    let place = info.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    format!(
        "dualprop {} on {} {}\narguments: {arguments:?}\npanicked at {place}: {message}\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        Backtrace::force_capture()
    )
}

/// Keeps the report in this folder and says where it is.
fn tell(report: &str, folder: &Path) {
    let what = report.lines().find(|line| line.starts_with("panicked")).unwrap_or_default();
    let kept = match keep(report, folder) {
        Ok(path) => format!("a report is kept in {}; please send it to the makers of dualprop", path.display()),
        Err(error) => format!("no report could be kept in {}: {error}", folder.display()),
    };
    output::note(&format!("error: a defect of dualprop: it {what}\n{kept}\nwhat checkpoints have kept is safe\n"));
}

fn keep(report: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("dualprop-panic-{}.txt", std::process::id()));
    // Never a file that somebody else put there. A second panic adds nothing to the first.
    OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(report.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_its_own_code_and_a_report() {
        let path = std::env::temp_dir().join(format!("dualprop-panic-{}.txt", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert_eq!(guard(|| ExitCode::SUCCESS), ExitCode::SUCCESS);
        assert_eq!(guard(|| panic!("on {}", "purpose")), ExitCode::from(DEFECT));
        drop(std::panic::take_hook());
        let report = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for expected in ["dualprop 0.", "panicked at ", "panics.rs", "on purpose", "arguments: ["] {
            assert!(report.contains(expected), "{expected}: {report}");
        }
    }
}
