//! The source of all kernels: the files beside the operations, one after the other, the first of what the others stand on.

/// The files, each with its name.
pub(super) const FILES: [(&str, &str); 8] = [
    ("prelude.cu", include_str!("prelude.cu")),
    ("activation.cu", include_str!("../activation/activation.cu")),
    ("dyad.cu", include_str!("../dyad/dyad.cu")),
    ("bias.cu", include_str!("../affine/bias.cu")),
    ("pooling.cu", include_str!("../pooling/pooling.cu")),
    ("loss.cu", include_str!("../loss/loss.cu")),
    ("nudge.cu", include_str!("../nudge/nudge.cu")),
    ("update.cu", include_str!("../update/update.cu")),
];

/// All kernels as one source, whose messages name the files.
pub fn source() -> String {
    FILES.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect()
}
