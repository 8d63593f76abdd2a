//! Files for other programs.

use std::path::Path;

use dualprop::base::file;
use dualprop::network::Model;

use crate::error::{OrRaise, Result};

/// Writes a model as ONNX, all of it or nothing.
pub(crate) fn onnx(model: &Model, path: &Path) -> Result<()> {
    file::write_atomic(path, &model.to_onnx().or_raise()?).or_raise()
}
