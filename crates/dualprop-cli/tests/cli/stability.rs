//! `dualprop stability`

use std::fs;

use crate::{assert_refused, dualprop, stderr, stdout};

const SMALL: [&str; 9] = ["stability", "--width", "8", "--nets", "2", "--samples", "2", "--passes", "200"];

#[test]
fn maps_are_printed_written_and_drawn_to_the_same_bits_by_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |threads: &str, rows: &str| {
        let options = ["--depth", "3", "--activation", "identity", "--gain", "1", "--alpha", "0,0.5", "--beta", "0.01,100"];
        let files = ["--figure", "map.svg", "--out", rows, "--threads", threads];
        let output = dualprop(folder.path(), &[&SMALL[..], &options, &files].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        (stdout(&output), read(rows), read("map.svg"))
    };
    let (text, table, figure) = run("1", "map.csv");
    assert_eq!((&text, &table, &figure), (&run("3", "map.csv").0, &run("3", "map.csv").1, &run("2", "map.csv").2));
    // beta 100 at alpha 0 is beyond every threshold; alpha 1/2 and DP-transpose have none.
    assert!(text.contains("dp, linearised_live, forward_backward: random identity, gain 1, 3 layers"), "{text}");
    assert!(text.contains("              100       0% 0/2     100% 2/2\n"), "{text}");
    assert_eq!(text.matches("closed form: right in 4 of 4 cells, lambda_max").count(), 2, "{text}");
    assert_eq!(table.lines().count(), 1 + 8, "{table}");
    assert!(table.starts_with("network,activation,gain,depth,width,rule,alpha,alpha_feedback,beta,schedule,nudge,"), "{table}");
    assert!(figure.starts_with("<svg") && figure.contains("dp_transpose, linearised_live"), "{figure}");

    let (_, lines, _) = run("0", "map.jsonl");
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(rows.len(), 8);
    let divergent = &rows[2];
    assert_eq!((&divergent["rule"], &divergent["alpha"], &divergent["beta"]), (&"dp".into(), &0.0.into(), &100.0.into()));
    assert_eq!((&divergent["nets_settled"], &divergent["nets_predicted"]), (&0.into(), &0.into()));
    assert!(
        divergent["share_diverged"] == 1.0 && divergent["median_passes"].is_null() && divergent["loop_gain"].as_f64() > Some(1.0)
    );
}

/// The experiment of `--help`: with kinks DP-transpose decouples exactly at alpha 0 and 1, and only there.
#[test]
fn one_sided_nudging_always_settles_under_relu() {
    let folder = tempfile::tempdir().unwrap();
    let deep = ["stability", "--depth", "6", "--gain", "2", "--nudge", "linearised_frozen", "--beta", "0.1", "--nets", "4"];
    let options = ["--rule", "dp_transpose", "--alpha", "0,0.5,1", "--passes", "100", "--out", "rows.jsonl"];
    let output = dualprop(folder.path(), &[&deep[..], &options].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let settled: Vec<serde_json::Value> =
        rows.lines().map(|line| line.parse::<serde_json::Value>().unwrap()["nets_settled"].clone()).collect();
    assert!(settled[0] == 4 && settled[1].as_u64() < Some(4) && settled[2] == 4, "{rows}");
}

#[test]
fn a_plane_and_a_network_of_real_data_have_maps_too() {
    let folder = tempfile::tempdir().unwrap();
    let plane = dualprop(folder.path(), &[&SMALL[..], &["--plane", "--alpha", "0,0.5,1", "--figure", "plane.svg"]].concat());
    assert!(plane.status.success(), "{}", stderr(&plane));
    assert!(
        stdout(&plane).contains("general, linearised_live, forward_backward, beta 0.1: random identity"),
        "{}",
        stdout(&plane)
    );
    // A plane has its axes, and on the diagonal, alpha_f = alpha_m, everything settles.
    assert!(stdout(&plane).contains("alpha_m \\ alpha_f    0  0.5    1\n                0 100%"), "{}", stdout(&plane));

    let trained = dualprop(folder.path(), &["train", "--quiet", "--name", "a", "--set", "training.epochs=1"]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    for subject in ["runs/a", "runs/a/model.safetensors", "digits"] {
        let options = ["--beta", "0.1", "--alpha", "0,1", "--samples", "3", "--passes", "50"];
        let output = dualprop(folder.path(), &[&["stability", subject][..], &options].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains(&format!("dp_transpose, linearised_live, forward_backward: {subject} relu")), "{text}");
        assert!(text.contains("              0.1     100% 1/1     100% 1/1\n") && text.contains("cross_entropy"), "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (options, message) in [
        (&["--alpha", "2"][..], "--alpha = 2: expected a number from 0 to 1"),
        (&["--beta", "0"], "--beta = 0: expected a finite number above 0"),
        (&["--beta", "nan"], "--beta = NaN"),
        (&["--rule", "dp_transposed"], "unknown rule `dp_transposed`; did you mean `dp_transpose`?"),
        (&["--schedule", "backward"], "learning.schedule = backward: it is one sweep"),
        (&["--nudge", "live"], "unknown nudge `live`"),
        (&["--loss", "mse"], "unknown loss `mse`"),
        (&["--depth", "0"], "--depth = 0"),
        (&["--width", "0"], "--width = 0: expected 1 to 4096"),
        (&["--passes", "0"], "learning.passes = 0"),
        (&["--out", "a.txt"], "--out = a.txt: expected a name that ends in .csv or .jsonl"),
        (&["--figure", "a.png"], "--figure = a.png: expected a name that ends in .svg"),
        (&["digits", "--depth", "3"], "cannot be used with"),
        (&["--plane", "--rule", "dp"], "cannot be used with"),
        (&["--set", "learning.beta=1"], "--set = given: random networks have no recipe"),
        (&["--data-dir", "."], "--data-dir = given: random networks"),
        (&["digits", "--samples", "0"], "samples = 0"),
    ] {
        let output = dualprop(folder.path(), &[&["stability", "--nets", "1"][..], options].concat());
        let output =
            if options[0] == "digits" { dualprop(folder.path(), &[&["stability"][..], options].concat()) } else { output };
        assert_refused(&output, 2, message);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
