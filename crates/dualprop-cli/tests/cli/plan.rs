//! `dualprop plan`

use crate::{assert_refused, dualprop, stderr, stdout};

const PAPER: [&str; 5] = ["plan", "--set", "learning.schedule=forward", "--set", "learning.passes=16"];

fn plan(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = dualprop(folder.path(), arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The line that counts the operations.
fn total(text: &str) -> &str {
    text.lines().find(|line| line.contains("multiply-adds for one sample")).unwrap()
}

#[test]
fn the_papers_sixteen_passes_cost_one_sweep_at_alpha_zero() {
    let (one, sixteen) = (plan(&["plan"]), plan(&PAPER));
    assert_eq!(total(&one), total(&sixteen));
    // 64·128 + 128·128 + 128·10 up, 128·128 + 128·10 down, and the three weight products.
    assert!(total(&one).contains(" 69376 multiply-adds"), "{one}");
    for expected in ["proved redundant", "the difference above is still zero", "its inputs have no new version", "GFLOP"] {
        assert!(sixteen.contains(expected), "{expected}: {sixteen}");
    }
    let naive = plan(&[&PAPER[..], &["--naive"]].concat());
    assert!(!naive.contains("proved redundant"));
    assert_eq!(naive.lines().filter(|line| line.contains(" affine ")).count(), 3 * 17);
}

#[test]
fn wrong_input_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let proximal =
        ["plan", "--set", "learning.nudge=proximal", "--set", "learning.loss=squared_error", "--set", "learning.beta=0.9"];
    // At α = 0 DP's s⁻ carries the whole nudge.
    assert_refused(&dualprop(folder.path(), &[&proximal[..], &["--set", "learning.rule=dp"]].concat()), 2, "only for beta < 0.5");
    let strong = ["plan", "--set", "learning.nudge=proximal", "--set", "learning.rule=dp", "--set", "learning.beta=3"];
    let output = dualprop(folder.path(), &strong);
    assert!(output.status.success());
    assert_eq!(stderr(&output).matches("warning").count(), 1, "{}", stderr(&output));
}
