//! Which samples are trained on, which choose among the results, and which judge.

use crate::base::random::{Purpose, Random};
use crate::base::{Error, Result};

/// Three disjoint sets of sample numbers, each in rising order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The samples that gradients come from; means and scales too.
    pub train: Vec<usize>,
    /// The samples that choose the best parameters of a run.
    pub validation: Vec<usize>,
    /// The samples that are looked at once, at the end.
    pub test: Vec<usize>,
}

/// How much of the samples validates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// This share of every class, rounded: a class's division does not depend on the other classes.
    Share(f64),
    /// So many in all, of every class the same share within one sample.
    Count(usize),
}

impl Held {
    /// How many samples of each class, of which there are so many.
    fn of_classes(self, sizes: &[usize]) -> Vec<usize> {
        let total = sizes.iter().sum::<usize>();
        match self {
            Held::Share(share) => sizes.iter().map(|&n| (n as f64 * share).round() as usize).collect(),
            Held::Count(count) => {
                // By largest remainders; of equal ones the first.
                let product = |n: usize| n as u128 * count as u128;
                let mut quotas: Vec<usize> = sizes.iter().map(|&n| (product(n) / total as u128) as usize).collect();
                let mut classes: Vec<usize> = (0..sizes.len()).collect();
                classes.sort_by_key(|&class| std::cmp::Reverse(product(sizes[class]) % total as u128));
                let missing = count - quotas.iter().sum::<usize>();
                classes[..missing].iter().for_each(|&class| quotas[class] += 1);
                quotas
            }
        }
    }
}

impl Split {
    /// Divides every class alike: its n samples are shuffled, the first go to validation (for a share: round(n · validation)
    /// of them), those up to round(n · (validation + test)) to the test, the others to the training. So each share is met
    /// within one sample per class, and every sample is in exactly one set.
    ///
    /// # Errors
    /// [`Error::Setting`] for a fraction that is negative or not a number, fractions that leave nothing to train on, and a
    /// label that is not below `classes`.
    pub fn stratified(labels: &[u32], classes: usize, held: Held, test: f64, seed: u64) -> Result<Self> {
        let validation = match held {
            Held::Share(share) => share,
            Held::Count(count) => count as f64 / labels.len() as f64,
        };
        for (field, fraction) in [("validation_fraction", validation), ("test_fraction", test)] {
            if !(0.0..1.0).contains(&fraction) {
                return Err(Error::setting(field, fraction, "must be at least 0 and below 1"));
            }
        }
        if validation + test >= 1.0 {
            let problem =
                format!("leaves nothing to train on with validation_fraction = {validation}; their sum must be below 1");
            return Err(Error::setting("test_fraction", test, problem));
        }
        let mut members = vec![Vec::new(); classes];
        for (i, &label) in labels.iter().enumerate() {
            let problem = || format!("there are {classes} classes, so labels must be below {classes}");
            let class = members.get_mut(label as usize);
            class.ok_or_else(|| Error::setting(format!("label of sample {i}"), label, problem()))?.push(i);
        }
        let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
        let held = held.of_classes(&members.iter().map(Vec::len).collect::<Vec<_>>());
        for (class, (members, first)) in members.iter_mut().zip(held).enumerate() {
            Random::new(seed, Purpose::Split, 0, class as u32).shuffle(members);
            let n = members.len() as f64;
            let second = ((n * (validation + test)).round() as usize).max(first);
            split.validation.extend(&members[..first]);
            split.test.extend(&members[first..second]);
            split.train.extend(&members[second..]);
        }
        [&mut split.train, &mut split.validation, &mut split.test].into_iter().for_each(|set| set.sort_unstable());
        Ok(split)
    }

    /// The last `validation` of so many samples validate, those before them train, as in the authors' programs; none tests,
    /// since a data set divided so has a test part of its own. At most all validate.
    pub fn last(samples: usize, validation: usize) -> Self {
        let train = samples.saturating_sub(validation);
        Split { train: (0..train).collect(), validation: (train..samples).collect(), test: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;

    fn sets(split: &Split) -> [&[usize]; 3] {
        [&split.train, &split.validation, &split.test]
    }

    #[test]
    fn every_sample_is_in_one_set_and_every_class_is_divided_alike() {
        let digits = digits().unwrap();
        let split = Split::stratified(digits.labels(), 10, Held::Share(0.2), 0.2, 0).unwrap();
        let mut all = sets(&split).concat();
        all.sort_unstable();
        assert_eq!(all, (0..1797).collect::<Vec<_>>());
        for class in 0..10 {
            let count = |set: &[usize]| set.iter().filter(|&&i| digits.labels()[i] == class).count() as f64;
            let total: f64 = sets(&split).into_iter().map(count).sum();
            for (set, share) in sets(&split).into_iter().zip([0.6, 0.2, 0.2]) {
                assert!((count(set) - share * total).abs() < 1.0, "class {class}: {} of {total}", count(set));
            }
        }
        assert!(sets(&split).iter().all(|set| set.is_sorted()));
    }

    #[test]
    fn seeds_give_different_splits_and_the_same_seed_the_same() {
        let digits = digits().unwrap();
        let split = |seed| Split::stratified(digits.labels(), 10, Held::Share(0.2), 0.2, seed).unwrap();
        assert_eq!(split(3), split(3));
        let (a, b) = (split(0), split(1));
        let common = a.test.iter().filter(|i| b.test.contains(i)).count() as f64;
        // Two random fifths share a fifth of about 360: 72, standard deviation √(360 · 0.2 · 0.8²) = 6.8; five of them.
        assert!((common - 72.0).abs() < 34.0, "{common} of {} in common", a.test.len());
    }

    #[test]
    fn small_classes_and_extreme_shares_still_make_a_split() {
        for n in 0..8 {
            for (validation, test) in [(0.0, 0.0), (0.5, 0.49), (0.999, 0.0), (0.0, 0.999), (0.35, 0.15)] {
                let split = Split::stratified(&vec![1; n], 3, Held::Share(validation), test, 5).unwrap();
                assert_eq!(sets(&split).map(<[usize]>::len).iter().sum::<usize>(), n);
                let shares = [1.0 - validation - test, validation, test];
                for (set, share) in sets(&split).into_iter().zip(shares) {
                    assert!((set.len() as f64 - share * n as f64).abs() <= 1.0, "{n}: {validation} {test}: {split:?}");
                }
            }
        }
    }

    #[test]
    fn a_count_is_met_to_the_sample_and_every_class_within_one() {
        let digits = digits().unwrap();
        for count in [1, 4, 17, 180, 1000] {
            let split = Split::stratified(digits.labels(), 10, Held::Count(count), 0.2, 0).unwrap();
            assert_eq!(split.validation.len(), count);
            for class in 0..10 {
                let members = |set: &[usize]| set.iter().filter(|&&i| digits.labels()[i] == class).count() as f64;
                let total: f64 = sets(&split).into_iter().map(members).sum();
                let expected = total * count as f64 / 1797.0;
                assert!((members(&split.validation) - expected).abs() < 1.0, "{count}: class {class}");
            }
        }
    }

    #[test]
    fn the_last_samples_validate() {
        let split = Split::last(5, 2);
        assert_eq!(sets(&split), [&[0, 1, 2][..], &[3, 4], &[]]);
        assert_eq!(sets(&Split::last(2, 5)), [&[][..], &[0, 1], &[]]);
    }

    #[test]
    fn impossible_shares_and_labels_are_refused() {
        let refused = |validation, test| Split::stratified(&[0, 1], 2, Held::Share(validation), test, 0).unwrap_err().to_string();
        assert_eq!(refused(-0.1, 0.2), "validation_fraction = -0.1: must be at least 0 and below 1");
        assert_eq!(refused(0.1, f64::NAN), "test_fraction = NaN: must be at least 0 and below 1");
        assert!(refused(0.5, 0.5).starts_with("test_fraction = 0.5: leaves nothing to train on"));
        let text = Split::stratified(&[0, 2], 2, Held::Share(0.2), 0.2, 0).unwrap_err().to_string();
        assert_eq!(text, "label of sample 1 = 2: there are 2 classes, so labels must be below 2");
    }
}
