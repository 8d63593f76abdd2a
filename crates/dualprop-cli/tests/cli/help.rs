//! `dualprop --help` and `dualprop --version`

use crate::{dualprop, stderr, stdout};

#[test]
fn the_program_names_itself_and_helps() {
    let folder = tempfile::tempdir().unwrap();
    let version = dualprop(folder.path(), &["--version"]);
    assert_eq!(stdout(&version), format!("dualprop {}\n", env!("CARGO_PKG_VERSION")));
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["train", "--help"],
        &["compare", "--help"],
        &["eval", "--help"],
        &["export", "--help"],
        &["gradcheck", "--help"],
        &["alignment", "--help"],
        &["lipschitz", "--help"],
        &["objective", "--help"],
        &["predict", "--help"],
        &["report", "--help"],
        &["reproduce", "--help"],
        &["robustness", "--help"],
        &["stability", "--help"],
        &["summary", "--help"],
        &["sweep", "--help"],
        &["data", "list", "--help"],
        &["data", "fetch", "--help"],
        &["data", "verify", "--help"],
        &["data", "import", "--help"],
        &["plan", "--help"],
        &["trace", "--help"],
        &["verify", "--help"],
    ] {
        let help = dualprop(folder.path(), arguments);
        assert!(help.status.success(), "{arguments:?}: {}", stderr(&help));
        assert!(stdout(&help).contains("Examples:\n  dualprop"), "{arguments:?}: {}", stdout(&help));
    }
    assert!(stdout(&dualprop(folder.path(), &["-h"])).contains("With a command, options follow it"));
}
