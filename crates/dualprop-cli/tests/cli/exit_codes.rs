//! Every row of the table of errors in docs/reliability.md has a command here, which ends as the table says.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::data::server;
use crate::{LONG, command, full, stderr, stdout, wait_for_lines};

/// Where the table begins.
const HEADER: &str = "| what ended it | exit code | what it says |";

/// A row of the table.
#[derive(Debug, PartialEq)]
struct Row {
    what: String,
    code: i32,
    /// What standard error must have; nothing where it must be empty.
    says: Vec<String>,
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reliability.md")).unwrap();
    let lines = text.lines().skip_while(|line| *line != HEADER).skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let &[what, code, says] = &cells[..] else { panic!("{line}") };
        let says = says.split('`').skip(1).step_by(2).map(String::from).collect();
        Row { what: what.into(), code: code.parse().unwrap(), says }
    };
    lines.map(row).collect()
}

/// A folder, and whether the chain of causes is asked for.
struct Place {
    folder: tempfile::TempDir,
    verbose: bool,
}

impl Place {
    fn new(verbose: bool) -> Self {
        Place { folder: tempfile::tempdir().unwrap(), verbose }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command that is asked for traces of calls, which it must not show.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.path(), arguments);
        command.env("RUST_BACKTRACE", "1").env("TMPDIR", self.path());
        if self.verbose {
            command.arg("--verbose");
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// A run with one epoch, `runs/a`.
    fn trained(&self) {
        let output = self.run(&["train", "--quiet", "--name", "a", "--set", "training.epochs=1"]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// A training under way, `runs/long`.
    fn training(&self) -> Child {
        let arguments = [&LONG[..], &["--name", "long"]].concat();
        let child = self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_lines(&self.path().join("runs/long"), 2);
        child
    }

    /// A sweep under way, `runs/long`.
    fn sweeping(&self) -> Child {
        let arguments = ["sweep", "digits", "--quiet", "--grid", "learning.alpha=0,1", "--set", "training.epochs=100000"];
        let arguments = [&arguments[..], &["--name", "long", "--jobs", "1"]].concat();
        let child = self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_lines(&self.path().join("runs/long/alpha=0"), 2);
        child
    }

    /// A sweep over two short cells with these options.
    fn sweep(&self, more: &[&str]) -> Output {
        self.run(&[&["sweep", "digits", "--quiet", "--set", "training.epochs=1"], more].concat())
    }

    fn gradcheck(&self, option: &str, value: &str) -> Output {
        self.run(&["gradcheck", "digits", "--samples", "4", "--coordinates", "2", option, value])
    }
}

/// What ends a program by the name that the table has for it, and a command that it ends.
type End = (&'static str, fn(&Place) -> Output);

const ENDS: &[End] = &[
    ("nothing: it is done", |at| at.run(&["recipes"])),
    ("a sweep that is done, though cells of it diverged", |at| at.sweep(&["--grid", "optimizer.learning_rate=0.1,1e38"])),
    ("a closed pipe: who reads no more has seen enough", |at| {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        at.command(&["plan"]).stdout(writer).output().unwrap()
    }),
    ("a number that is not finite", |at| at.run(&["train", "--quiet", "--set", "optimizer.learning_rate=1e9"])),
    ("a file or folder that cannot be written", |at| {
        at.write("file", "");
        at.run(&["train", "--quiet", "--runs-dir", "file/runs"])
    }),
    ("a sweep whose folder cannot be written", |at| {
        at.write("file", "");
        at.sweep(&["--grid", "learning.alpha=0,1", "--runs-dir", "file/runs"])
    }),
    ("a disk that is full", |at| match full() {
        Some(full) => at.command(&["plan"]).stdout(full).output().unwrap(),
        None => panic!("there is no /dev/full"),
    }),
    #[cfg(target_os = "linux")]
    ("threads that the system refuses", |at| at.run(&["train", "--quiet", "--threads", "1024", "--memory-limit", "200"])),
    ("a data set that cannot be fetched", |at| {
        at.run(&["data", "fetch", "svhn", "--mirror", "http://127.0.0.1:1", "--only-mirrors"])
    }),
    ("a fetched file that is another one than was published", |at| {
        // As many bytes as the first file of this data set has.
        let url = server(vec![0; 9_912_422].leak());
        at.run(&["data", "fetch", "mnist", "--mirror", &url, "--only-mirrors"])
    }),
    ("`data verify` that finds a wrong file", |at| {
        fs::create_dir_all(at.path().join("data/svhn")).unwrap();
        at.write("data/svhn/test_32x32.mat", "other");
        at.run(&["data", "verify", "svhn", "--data-dir", "data"])
    }),
    ("`verify` that finds a difference", |at| {
        at.trained();
        let path = at.path().join("runs/a/metrics.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"train_loss\":", "\"train_loss\":1")).unwrap();
        at.run(&["verify", "runs/a"])
    }),
    ("`gradcheck` that finds a difference", |at| at.gradcheck("--tolerance", "1e-30")),
    ("`bench` without its peer", |at| at.run(&["bench", "--against", "torch", "--python", "./none", "--seconds", "0"])),
    ("an option or a command that does not exist", |at| at.run(&["train", "--nonsense"])),
    ("an unknown key or name", |at| at.run(&["train", "--set", "learning.alhpa=1"])),
    ("a value that cannot be used", |at| at.run(&["train", "--set", "learning.alpha=2"])),
    ("a value that cannot be used in a cell of a sweep", |at| at.sweep(&["--grid", "learning.alpha=0,2"])),
    ("a grid that is none", |at| at.sweep(&["--grid", "learning.alpha"])),
    ("a flaw at a line of a recipe", |at| {
        let printed = stdout(&at.run(&["train", "--print-recipe"]));
        let place = printed.lines().position(|line| line.starts_with("alpha = ")).unwrap();
        let lines = printed.lines().enumerate().map(|(i, line)| if i == place { "alpha = 2" } else { line });
        // A recipe begins with its name, so that the flaw stands where the table says if blank lines come first.
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        at.write("own.toml", "\n".repeat(99 - place) + &text);
        at.run(&["train", "own.toml"])
    }),
    ("data of another shape", |at| {
        at.trained();
        at.write("small.idx", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]);
        at.run(&["predict", "runs/a/model.safetensors", "small.idx", "--out", "x.csv"])
    }),
    ("a damaged file", |at| {
        at.write("cut.safetensors", [9, 0, 0, 0, 0, 0, 0, 0, b'{']);
        at.run(&["trace", "cut.safetensors", "--out", "out"])
    }),
    ("a missing file", |at| at.run(&["train", "missing.toml"])),
    ("a data set that is not here", |at| at.run(&["train", "mnist", "--data-dir", "."])),
    ("a run of that name", |at| {
        at.trained();
        at.run(&["train", "--name", "a"])
    }),
    ("a file of that name, which an export would replace", |at| {
        at.trained();
        assert!(at.run(&["export", "runs/a"]).status.success());
        at.run(&["export", "runs/a"])
    }),
    ("a sweep of that name", |at| {
        assert!(at.sweep(&["--grid", "learning.alpha=0", "--name", "a"]).status.success());
        at.sweep(&["--grid", "learning.alpha=1", "--name", "a"])
    }),
    ("a folder that --force does not replace", |at| {
        fs::create_dir_all(at.path().join("runs/a")).unwrap();
        at.write("runs/a/photo", "");
        at.sweep(&["--grid", "learning.alpha=0,1", "--name", "a", "--force"])
    }),
    ("a folder that is no sweep", |at| at.run(&["sweep", "--resume", "."])),
    ("a cell of a sweep that diverged", |at| {
        assert!(at.sweep(&["--grid", "optimizer.learning_rate=1e38", "--name", "a"]).status.success());
        at.run(&["train", "--resume", "runs/a/learning_rate=1e38"])
    }),
    ("a run in use", |at| {
        let mut training = at.training();
        let output = at.run(&["train", "--resume", "runs/long"]);
        training.kill().unwrap();
        training.wait().unwrap();
        output
    }),
    ("a sweep in use", |at| {
        let mut sweep = at.sweeping();
        let output = at.run(&["sweep", "--resume", "runs/long"]);
        sweep.kill().unwrap();
        sweep.wait().unwrap();
        output
    }),
    ("runs that have no seed in common", |at| {
        at.trained();
        let output = at.run(&["train", "--quiet", "--name", "b", "--set", "training.epochs=1", "--set", "seeds=[1]"]);
        assert!(output.status.success(), "{}", stderr(&output));
        at.run(&["compare", "runs/a", "runs/b"])
    }),
    ("more memory than there is", |at| {
        at.run(&["train", "--set", "network.layers=['dense 8000', 'dense 8000', 'dense 10']", "--memory-limit", "300"])
    }),
    ("cells side by side that need more memory than there is", |at| {
        let layers = "network.layers=['dense 1400', 'dense 1400', 'dense 10']";
        at.sweep(&["--grid", "learning.alpha=0,1", "--jobs", "2", "--set", layers, "--memory-limit", "260"])
    }),
    #[cfg(debug_assertions)]
    ("a defect of dualprop", |at| at.command(&["recipes"]).env("DUALPROP_DEFECT", "1").output().unwrap()),
    #[cfg(unix)]
    ("Ctrl-C or SIGTERM", |at| {
        let training = at.training();
        let signal = if at.verbose { "-INT" } else { "-TERM" };
        assert!(Command::new("kill").args([signal, &training.id().to_string()]).status().unwrap().success());
        training.wait_with_output().unwrap()
    }),
    #[cfg(unix)]
    ("Ctrl-C or SIGTERM in a sweep", |at| {
        let sweep = at.sweeping();
        let signal = if at.verbose { "-INT" } else { "-TERM" };
        assert!(Command::new("kill").args([signal, &sweep.id().to_string()]).status().unwrap().success());
        sweep.wait_with_output().unwrap()
    }),
];

/// Rows whose command this system or this build does not have.
fn elsewhere(what: &str) -> bool {
    (what == "threads that the system refuses" && !cfg!(target_os = "linux"))
        || (what.starts_with("Ctrl-C or SIGTERM") && !cfg!(unix))
        || (what == "a disk that is full" && !cfg!(target_os = "linux"))
        || (what == "a defect of dualprop" && !cfg!(debug_assertions))
}

#[test]
fn every_row_of_the_table_of_errors_ends_a_program_as_it_says() {
    let table = table();
    let rows: Vec<&str> = table.iter().map(|row| row.what.as_str()).filter(|what| !elsewhere(what)).collect();
    let commands: Vec<&str> = ENDS.iter().map(|(what, _)| *what).filter(|what| !elsewhere(what)).collect();
    assert_eq!(rows, commands, "the rows of docs/reliability.md and the commands here");
    for (what, end) in ENDS.iter().filter(|(what, _)| !elsewhere(what)) {
        let row = table.iter().find(|row| row.what == *what).unwrap();
        for verbose in [false, true] {
            let at = Place::new(verbose);
            let output = end(&at);
            let (text, all) = (stderr(&output), stdout(&output) + &stderr(&output));
            assert_eq!(output.status.code(), Some(row.code), "{what}: {all}");
            for expected in &row.says {
                assert!(text.contains(expected), "{what}: expected {expected:?} in {all}");
            }
            for never in ["stack backtrace", "Stack backtrace", "RUST_BACKTRACE", "anyhow::"] {
                assert!(!all.contains(never), "{what}: {never} in {all}");
            }
            let error = if what.contains("fetch") { text.lines().any(begins) } else { begins(&text) };
            assert_eq!(error, [1, 2, 101].contains(&row.code), "{what}: {text}");
            assert_eq!(row.says.is_empty(), text.is_empty(), "{what}: {text}");
            // What the parser of the command line finds has no cause but what was typed.
            let chain = verbose && [1, 2].contains(&row.code) && !text.contains("Usage: ");
            assert_eq!(text.contains("chain of causes:\n  0: "), chain, "{what}: {text}");
        }
    }
}

/// Of a fetch, the addresses that it tried come first.
fn begins(line: &str) -> bool {
    line.starts_with("error: ")
}
