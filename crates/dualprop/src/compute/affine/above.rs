//! What a convolution leaves.

/// What becomes of the image above.
pub(super) enum Above<'a> {
    /// All of it is written.
    Image(&'a mut [f32]),
    /// The largest number of every window of 2 × 2 pixels, and its place; the image itself is kept nowhere.
    Pooled(&'a mut [f32], &'a mut [u8]),
}
