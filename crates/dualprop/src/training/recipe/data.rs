//! `[data]`, checked: which samples train, validate and test, and how pixels become inputs.

use crate::base::{Error, Result};
use crate::data::{Augmentation, Description, Normalization};
use crate::network::Shape;

use super::params::DataParams;
use super::values::named;

/// The largest side to which images are padded; more is a slip of the pen.
const LARGEST_SIDE: usize = 1024;

/// Which training samples validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::training) enum Validate {
    /// Drawn by the seed, of every class the same share.
    Stratified,
    /// The last ones, as in the authors' programs.
    Last,
}

/// What `[data]` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::training) struct DataSettings {
    /// A share if below 1, else a count.
    pub(in crate::training) validation: f64,
    /// The share of samples that test, of a data set without a test part of its own.
    pub(in crate::training) test: Option<f64>,
    pub(in crate::training) validate: Validate,
    pub(in crate::training) normalization: Normalization,
    pub(in crate::training) augmentation: Augmentation,
    /// The extents of a sample, padded.
    pub(in crate::training) input: Shape,
    pub(in crate::training) classes: usize,
    pub(in crate::training) limit_train: Option<usize>,
}

impl DataParams {
    /// Holds the values against each other and against what is known of the data set.
    pub(super) fn check(&self) -> Result<DataSettings> {
        let known = Description::of(&self.dataset).map_err(|error| match error {
            Error::Unknown { name, nearest, known, .. } => Error::Unknown { what: "data.dataset".into(), name, nearest, known },
            other => other,
        })?;
        let test = match (known.has_test, self.test) {
            (true, Some(share)) => {
                let problem = format!("{} has a test set of its own; leave it out", known.name);
                return Err(Error::setting("data.test", share, problem));
            }
            (true, None) => None,
            (false, share) => Some(share.unwrap_or(0.2)),
        };
        let counted = self.validation >= 1.0 && self.validation.fract() == 0.0 && self.validation <= f64::from(u32::MAX);
        if !(self.validation > 0.0 && self.validation < 1.0 || counted) {
            let problem = "expected a share above 0 and below 1, or how many samples";
            return Err(Error::setting("data.validation", self.validation, problem));
        }
        if let Some(test) = test.filter(|test| !(*test > 0.0 && *test < 1.0)) {
            return Err(Error::setting("data.test", test, "expected a share above 0 and below 1"));
        }
        if !counted && self.validation + test.unwrap_or(0.0) >= 1.0 {
            let sum = self.validation + test.unwrap_or(0.0);
            return Err(Error::setting("data.validation + data.test", sum, "nothing would be left to train on"));
        }
        let validate = match self.split.as_str() {
            "stratified" => Validate::Stratified,
            "last" if test.is_none() => Validate::Last,
            "last" => {
                let problem = format!("{} has no test set of its own, which must be drawn; use `stratified`", known.name);
                return Err(Error::setting("data.split", "last", problem));
            }
            other => return Err(Error::unknown("data.split", other, ["stratified", "last"])),
        };
        if self.limit_train == Some(0) {
            return Err(Error::setting("data.limit_train", 0, "expected at least 1 sample; left out, all are used"));
        }
        let normalization = named("data.normalization", &self.normalization)?;
        if normalization == Normalization::Published && known.constants.is_none() {
            let problem = format!("no constants are published for {}; use `standardize` or `unit`", known.name);
            return Err(Error::setting("data.normalization", "published", problem));
        }
        let Shape { height, width, .. } = known.input;
        if let Some(side) =
            self.pad.filter(|side| *side > LARGEST_SIDE || [height, width].iter().any(|&n| *side < n || (side - n) % 2 != 0))
        {
            let problem = format!(
                "{} has images of {height} x {width}; expected {}, or that and an even number more",
                known.name,
                height.max(width)
            );
            return Err(Error::setting("data.pad", side, problem));
        }
        Ok(DataSettings {
            validation: self.validation,
            test,
            validate,
            normalization,
            input: self.pad.map_or(known.input, |side| Shape { height: side, width: side, ..known.input }),
            classes: known.classes,
            augmentation: named("data.augment", &self.augment)?,
            limit_train: self.limit_train,
        })
    }
}
