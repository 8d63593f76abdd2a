//! Pixels of mean 0 and variance 1.

use crate::base::{Error, Result};

use super::Dataset;

/// The map x ↦ (x − mean)/scale of every pixel, with statistics of the training samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// The smallest scale, as a share of the largest deviation. On the digits, eight seeds apart from the default ones, it lifts
/// the mean validation accuracy by 0.1 to 0.3 points over no bound (two initialisers, two weight decays).
const SMALLEST_SHARE: f64 = 0.1;

impl Standardizer {
    /// Mean and standard deviation √(Σ (x − mean)² / n) of every pixel over exactly these samples, so that nothing is
    /// learnt from the others. No scale is below a tenth of the largest: a pixel that is white in nearly every training
    /// sample must not dominate the few others in which it is not. Where no pixel varies, every scale is 1.
    ///
    /// # Errors
    /// [`Error::Setting`] for no samples, or one that the data set does not have.
    pub fn fit(dataset: &Dataset, indices: &[usize]) -> Result<Self> {
        if indices.is_empty() {
            return Err(Error::setting("training samples", "none", "standardisation needs at least one"));
        }
        if let Some(index) = indices.iter().find(|&&index| index >= dataset.len()) {
            return Err(Error::setting("training sample", index, format!("{} has {} samples", dataset.name, dataset.len())));
        }
        let pixels = dataset.input.neurons();
        let (mut mean, mut variance) = (vec![0.0f64; pixels], vec![0.0f64; pixels]);
        let n = indices.len() as f64;
        for sample in indices.iter().map(|&i| dataset.sample(i)) {
            mean.iter_mut().zip(sample).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= n);
        for sample in indices.iter().map(|&i| dataset.sample(i)) {
            variance.iter_mut().zip(sample).zip(&mean).for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        }
        let deviation: Vec<f64> = variance.iter().map(|sum| (sum / n).sqrt()).collect();
        let largest = deviation.iter().copied().fold(0.0, f64::max);
        let scale = |&deviation: &f64| if largest > 0.0 { deviation.max(SMALLEST_SHARE * largest) as f32 } else { 1.0 };
        Ok(Standardizer { scale: deviation.iter().map(scale).collect(), mean: mean.iter().map(|&mean| mean as f32).collect() })
    }

    /// The standardiser of a model file.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many scales as means.
    pub fn from_parts(mean: Vec<f32>, scale: Vec<f32>) -> Result<Self> {
        if mean.len() != scale.len() {
            return Err(Error::shape("input.scale", &[scale.len()], &[mean.len()]));
        }
        Ok(Standardizer { mean, scale })
    }

    /// The mean of every pixel, in NHWC order.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The scale of every pixel, in NHWC order.
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// Standardises samples in place, one after another.
    ///
    /// # Panics
    /// If `x` does not hold whole samples.
    pub fn apply(&self, x: &mut [f32]) {
        assert_eq!(x.len() % self.mean.len(), 0, "pixels that are not whole samples");
        for sample in x.chunks_exact_mut(self.mean.len()) {
            sample.iter_mut().zip(&self.mean).zip(&self.scale).for_each(|((x, mean), scale)| *x = (*x - mean) / scale);
        }
    }

    /// Standardises every sample of a data set.
    ///
    /// # Errors
    /// [`Error::Shape`] for samples of another size; [`Error::Setting`] if a pixel is too far from the training samples to
    /// be a finite number.
    pub fn transform(&self, mut dataset: Dataset) -> Result<Dataset> {
        let pixels = dataset.input.neurons();
        if pixels != self.mean.len() {
            return Err(Error::shape(format!("{}: a sample", dataset.name), &[pixels], &[self.mean.len()]));
        }
        self.apply(dataset.pixels_mut());
        match (0..dataset.len()).find(|&i| dataset.sample(i).iter().any(|x| !x.is_finite())) {
            Some(i) => {
                let field = format!("{}: sample {i}", dataset.name);
                Err(Error::setting(field, "not finite", "once standardised, it exceeds the range of f32"))
            }
            None => Ok(dataset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Split, digits};
    use crate::network::Shape;

    #[test]
    fn training_pixels_have_mean_zero_and_variance_one() {
        let digits = digits().unwrap();
        let train = Split::stratified(digits.labels(), 10, 0.2, 0.2, 0).unwrap().train;
        let standardizer = Standardizer::fit(&digits, &train).unwrap();
        let largest = standardizer.scale().iter().copied().fold(0.0, f32::max);
        let (mut varying, n) = (0, train.len() as f64);
        let standardized = standardizer.transform(digits.clone()).unwrap();
        for pixel in 0..64 {
            let values: Vec<f64> = train.iter().map(|&i| f64::from(standardized.sample(i)[pixel])).collect();
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|x| x * x).sum::<f64>() / n;
            // Mean, scale and result are rounded to f32 (6e-8 relative), of values up to √n = 33 deviations.
            assert!(mean.abs() < 2e-6, "pixel {pixel}: mean {mean}");
            if standardizer.scale()[pixel] > 0.1001 * largest {
                varying += 1;
                assert!((variance - 1.0).abs() < 1e-5, "pixel {pixel}: variance {variance}");
            } else {
                assert!(variance < 1.0, "pixel {pixel}: variance {variance}");
            }
        }
        // Some pixels at the border are white in nearly every training sample.
        assert!((45..64).contains(&varying), "{varying} pixels vary");
    }

    #[test]
    fn nothing_is_learnt_from_validation_and_test() {
        let digits = digits().unwrap();
        let split = Split::stratified(digits.labels(), 10, 0.2, 0.2, 1).unwrap();
        let with = |others: f32, training: f32| {
            let mut x: Vec<f32> = (0..digits.len()).flat_map(|i| digits.sample(i)).copied().collect();
            for &i in split.validation.iter().chain(&split.test) {
                x[i * 64..(i + 1) * 64].fill(others);
            }
            x[split.train[0] * 64] += training;
            let changed = Dataset::new("changed", digits.input, 10, x, digits.labels().to_vec()).unwrap();
            Standardizer::fit(&changed, &split.train).unwrap()
        };
        assert_eq!(with(1e6, 0.0), Standardizer::fit(&digits, &split.train).unwrap());
        assert_ne!(with(0.0, 1.0), Standardizer::fit(&digits, &split.train).unwrap());
    }

    /// Samples (1, 0.1), (3, 0.1): mean 2, deviation 1, and a constant, whose scale is a tenth of that deviation.
    #[test]
    fn statistics_and_map_are_those_of_the_definition() {
        let x = vec![1.0, 0.1, 3.0, 0.1, 7.0, 0.4];
        let dataset = Dataset::new("d", Shape::flat(2), 1, x, vec![0; 3]).unwrap();
        let standardizer = Standardizer::fit(&dataset, &[0, 1, 0, 1, 0, 1]).unwrap();
        assert_eq!((standardizer.mean(), standardizer.scale()), (&[2.0, 0.1][..], &[1.0, 0.1][..]));
        let mut x = [5.0, 0.1, 0.0, 0.2];
        standardizer.apply(&mut x);
        assert_eq!(x, [3.0, 0.0, -2.0, 1.0]);
        let transformed = standardizer.transform(dataset.clone()).unwrap();
        assert_eq!([transformed.sample(0), transformed.sample(2)].concat(), [-1.0, 0.0, 5.0, (0.4 - 0.1) / 0.1]);
        let parts = Standardizer::from_parts(standardizer.mean().to_vec(), standardizer.scale().to_vec());
        assert_eq!(parts.unwrap(), standardizer);
        assert_eq!(Standardizer::fit(&dataset, &[0, 1]).unwrap(), standardizer);
    }

    #[test]
    fn what_cannot_be_standardised_is_refused() {
        let dataset = Dataset::new("d", Shape::flat(1), 1, vec![0.0, 1e-40, 3e38], vec![0; 3]).unwrap();
        assert_eq!(
            Standardizer::fit(&dataset, &[]).unwrap_err().to_string(),
            "training samples = none: standardisation needs at least one"
        );
        assert_eq!(Standardizer::fit(&dataset, &[0, 3]).unwrap_err().to_string(), "training sample = 3: d has 3 samples");
        let text = Standardizer::fit(&dataset, &[0, 1]).unwrap().transform(dataset.clone()).unwrap_err().to_string();
        assert!(text.starts_with("d: sample 2 = not finite"), "{text}");
        assert!(Standardizer::from_parts(vec![0.0], vec![1.0, 1.0]).is_err());
        let wide = Standardizer::from_parts(vec![0.0; 2], vec![1.0; 2]).unwrap();
        assert_eq!(wide.transform(dataset).unwrap_err().to_string(), "d: a sample has shape [1], expected [2]");
    }
}
