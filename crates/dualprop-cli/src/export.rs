//! `dualprop export`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::Error;
use dualprop::base::{Named, file};
use dualprop::network::ExportFormat;
use serde_json::json;

use crate::model::model_of;
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop export runs/digits                                     model.onnx, in the present folder
  dualprop export runs/digits --out digits.npz                    every tensor, for NumPy
  dualprop export runs/mnist/seed-3/model.safetensors --out mnist.onnx --force

An ONNX file takes pixels as the data set has them, float32 [n, channels, height, width], and gives logits [n, classes].";

/// `dualprop export`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArguments {
    /// A run directory, of several seeds the first, or a model file
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) subject: PathBuf,
    /// onnx or npz [default: by the ending of --out, else onnx]
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// The file, whose name ends in .onnx or .npz [default: model.onnx or model.npz, in the present folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON object instead of the line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Exports, and says what and where.
pub(crate) fn run(arguments: &ExportArguments) -> Result<()> {
    let (format, out) = destination(arguments.format.as_deref(), arguments.out.as_deref())?;
    output::check_folder("--out", &out)?;
    if !arguments.force && out.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: out }.into());
    }
    let (path, model) = model_of(&arguments.subject)?;
    if output::is_same_file(&path, &out) {
        return Err(Error::setting("--out", out.display(), "it is the model, which would be lost; choose another name").into());
    }
    let bytes = format.encode(&model)?;
    file::write_atomic(&out, &bytes)?;
    let input = (format == ExportFormat::Onnx).then(|| model.onnx_input());
    let said = match (arguments.json, input) {
        (true, input) => json!({
            "file": out.display().to_string(),
            "format": format.name(),
            "model": path.display().to_string(),
            "bytes": bytes.len(),
            "input": input.map(|(name, extents)| json!({ "name": name, "sample_shape": extents })),
        })
        .to_string(),
        (false, Some((name, extents))) => {
            let extents: String = extents.iter().map(|extent| format!(", {extent}")).collect();
            let outputs = model.topology.outputs();
            format!("{}: {} as ONNX, {name} [n{extents}] to logits [n, {outputs}]", out.display(), path.display())
        }
        (false, None) => format!("{}: {} as arrays of NumPy", out.display(), path.display()),
    };
    output::print(&format!("{said}\n"))
}

/// Which format goes where: each says what the other is where only one is given, and they agree where both are.
fn destination(format: Option<&str>, out: Option<&Path>) -> Result<(ExportFormat, PathBuf)> {
    let format = format.map(ExportFormat::parse).transpose()?;
    let Some(out) = out else {
        let format = format.unwrap_or(ExportFormat::Onnx);
        return Ok((format, Path::new("model").with_extension(format.name())));
    };
    match (format, ExportFormat::of(out)) {
        (None, Some(format)) => Ok((format, out.into())),
        (Some(format), ending) if ending == Some(format) => Ok((format, out.into())),
        (format, _) => {
            let expected = format.map_or(".onnx or .npz".into(), |format| format!(".{}", format.name()));
            Err(Error::setting("--out", out.display(), format!("expected a name that ends in {expected}")).into())
        }
    }
}
