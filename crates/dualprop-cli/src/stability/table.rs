//! Maps of stability in characters.

use std::fmt::Write;

use anyhow::Result;
use dualprop::analysis::stability::StabilityRow;

/// A column of numbers.
type Number = fn(&StabilityRow) -> f64;

/// One table for each map: the share of samples that settled, and of how many networks all did.
pub(super) fn describe(rows: &[StabilityRow], plane: bool) -> Result<String> {
    let mut maps: Vec<(String, Vec<&StabilityRow>)> = vec![];
    for row in rows {
        let title = title(row, plane);
        match maps.iter_mut().find(|(known, _)| *known == title) {
            Some((_, members)) => members.push(row),
            None => maps.push((title, vec![row])),
        }
    }
    let mut text = String::new();
    for (title, members) in &maps {
        writeln!(text, "{title}")?;
        let (corner, width) = if plane { ("alpha_m \\ alpha_f", 5) } else { ("beta \\ alpha", 13) };
        let (across, up): (Number, Number) = match plane {
            true => (|row| row.alpha_feedback, |row| row.alpha),
            false => (|row| row.alpha, |row| row.beta),
        };
        write!(text, "{corner:>17}")?;
        let columns = distinct(members, across);
        columns.iter().try_for_each(|column| write!(text, "{column:>width$}"))?;
        writeln!(text)?;
        for value in distinct(members, up) {
            write!(text, "{value:>17}")?;
            for column in &columns {
                let cell = members.iter().find(|row| up(row) == value && across(row) == *column);
                write!(text, "{:>width$}", cell.map_or(String::new(), |row| describe_cell(row, plane)))?;
            }
            writeln!(text)?;
        }
        writeln!(text, "{}", theory(members))?;
    }
    let first = &rows[0];
    let nets = if first.nets == 1 { "1 network".to_string() } else { format!("{} networks", first.nets) };
    let what = if plane { "" } else { ", and networks of which all did" };
    writeln!(
        text,
        "share of samples that settle{what}: {nets} of width {}, {} samples in all, loss {}, up to {} passes, in f64",
        first.width, first.samples, first.loss, first.most_passes
    )?;
    Ok(text)
}

fn title(row: &StabilityRow, plane: bool) -> String {
    let third = match plane {
        true => format!(", beta {}", row.beta),
        false if row.rule == "general" => format!(", alpha_f {}", row.alpha_feedback),
        false => String::new(),
    };
    let gain = row.gain.map_or(String::new(), |gain| format!(", gain {gain}"));
    format!(
        "{}, {}, {}{third}: {} {}{gain}, {} layers",
        row.rule, row.nudge, row.schedule, row.network, row.activation, row.depth
    )
}

fn describe_cell(row: &StabilityRow, plane: bool) -> String {
    match (row.share_settled, row.nets_settled) {
        (Some(share), _) if plane => format!("{:.0}%", 100.0 * share),
        (Some(share), Some(nets)) => format!("{:.0}% {nets}/{}", 100.0 * share, row.nets),
        _ => "undefined".into(),
    }
}

/// What the closed form says of a map, and whether it is so.
fn theory(rows: &[&StabilityRow]) -> String {
    let said: Vec<_> = rows.iter().filter(|row| row.nets_predicted.is_some() && row.nets_settled.is_some()).collect();
    if said.is_empty() {
        return "                  closed form: none\n".into();
    }
    let right = said.iter().filter(|row| row.nets_predicted == row.nets_settled).count();
    // Near the threshold it may take more passes than any number of them, and beyond the range of numbers nothing settles.
    let fewer = said.iter().filter(|row| row.nets_settled < row.nets_predicted).count();
    let fewer = if fewer > 0 { format!(", fewer settled in {fewer}") } else { String::new() };
    let lambda = match (rows[0].lambda_least, rows[0].lambda_most) {
        (Some(least), Some(most)) if least < most => format!(", lambda_max {least:.4} to {most:.4}"),
        (Some(_), Some(most)) => format!(", lambda_max {most:.4}"),
        _ => String::new(),
    };
    format!("                  closed form: right in {right} of {} cells{fewer}{lambda}\n", said.len())
}

/// The values of a column, each once, in their order.
fn distinct(rows: &[&StabilityRow], value: Number) -> Vec<f64> {
    let mut values = vec![];
    for row in rows {
        if !values.contains(&value(row)) {
            values.push(value(row));
        }
    }
    values
}
