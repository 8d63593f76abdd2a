//! `dualprop recipes`

use anyhow::Result;
use dualprop::training::BUILT_IN;

use crate::output;

/// Lists the built-in recipes.
pub(crate) fn run() -> Result<()> {
    let width = BUILT_IN.iter().map(|built_in| built_in.name.len()).max().unwrap_or(0);
    let line = |name: &str, time: &str, purpose: &str| format!("{name:width$}  {time:>6}  {purpose}\n");
    let lines: String = BUILT_IN.iter().map(|built_in| line(built_in.name, built_in.time, built_in.purpose)).collect();
    let footer = "\nThe time is that of one seed on two cores. `dualprop train NAME` trains; `dualprop train NAME --print-recipe`\n\
                  prints the recipe, which may be written to a file and changed.\n";
    output::print(&format!("{}{lines}{footer}", line("NAME", "TIME", "PURPOSE")))
}
