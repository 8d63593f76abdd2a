//! `learning.feedback`, checked: through which kernels differences travel down.

use crate::base::{Error, Named, Result};
use crate::inference::Feedback;
use crate::learning::OptimizerKind;

use super::params::LearningParams;
use super::values::named;

/// The feedback that these values ask for, which has all the numbers that it needs and no others.
pub(super) fn feedback(learning: &LearningParams) -> Result<Feedback> {
    let feedback = learning.feedback.as_ref().map_or(Ok(Feedback::Tied), |name| named("learning.feedback", name))?;
    match (feedback, learning.feedback_noise) {
        (Feedback::NoisyCopy, Some(sigma)) if sigma >= 0.0 && sigma.is_finite() => Ok(feedback),
        (Feedback::NoisyCopy, Some(sigma)) => {
            Err(Error::setting("learning.feedback_noise", sigma, "expected a finite number, 0 or more"))
        }
        (Feedback::NoisyCopy, None) => {
            let problem =
                "it needs learning.feedback_noise too, the noise in units of the kernel's root mean square, such as 0.1";
            Err(Error::setting("learning.feedback", feedback.name(), problem))
        }
        (_, Some(sigma)) => {
            let problem = format!("the feedback `{}` has no noise; use `noisy_copy`, or leave it out", feedback.name());
            Err(Error::setting("learning.feedback_noise", sigma, problem))
        }
        (_, None) => Ok(feedback),
    }
}

/// What is valid but rarely meant.
pub(super) fn warning(feedback: Feedback, optimizer: OptimizerKind) -> Option<String> {
    let decay = match optimizer {
        OptimizerKind::Sgd { weight_decay, .. } | OptimizerKind::AdamW { weight_decay, .. } => weight_decay,
        OptimizerKind::Adam { .. } => 0.0,
    };
    (feedback == Feedback::KolenPollack && decay == 0.0).then(|| {
        "learning.feedback = kolen_pollack: it is weight decay that brings the two kernels together, and there is none; set \
         optimizer.weight_decay of sgd or adamw"
            .to_string()
    })
}

#[cfg(test)]
mod tests {
    use crate::inference::Feedback;
    use crate::training::Recipe;

    fn recipe(sets: &[&str]) -> crate::Result<Recipe> {
        Recipe::load("digits", &sets.iter().map(|set| set.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (sets, expected) in [
            (&["learning.feedback=randm"][..], "unknown learning.feedback `randm`; did you mean `random`?"),
            (&["learning.feedback=1"], "learning.feedback = 1: expected a text"),
            (&["learning.feedback=noisy_copy"], "learning.feedback = noisy_copy: it needs learning.feedback_noise too"),
            (&["learning.feedback_noise=0.1"], "learning.feedback_noise = 0.1: the feedback `tied` has no noise"),
            (&["learning.feedback=random", "learning.feedback_noise=0.0"], "learning.feedback_noise = 0: the feedback `random`"),
            (
                &["learning.feedback=noisy_copy", "learning.feedback_noise=-0.1"],
                "learning.feedback_noise = -0.1: expected a finite",
            ),
            (
                &["learning.feedback=noisy_copy", "learning.feedback_noise=inf"],
                "learning.feedback_noise = inf: expected a finite",
            ),
            (
                &["learning.feedback=noisy_copy", "learning.feedback_noise=nan"],
                "learning.feedback_noise = NaN: expected a finite",
            ),
            (
                &["learning.feedback=noisy_copy", "learning.feedback_noise=x"],
                "learning.feedback_noise = \"x\": expected a number",
            ),
        ] {
            let error = recipe(sets).expect_err(expected).to_string();
            assert!(error.contains(expected), "{sets:?}: {error}");
        }
    }

    #[test]
    fn the_network_has_kernels_for_what_is_fed_back_and_a_tied_one_is_as_it_ever_was() {
        let plain = recipe(&[]).unwrap();
        let tied = recipe(&["learning.feedback=tied"]).unwrap();
        assert_eq!(tied.params(), plain.params(), "another recipe has another identity");
        assert!(!plain.params().to_toml().unwrap().contains("feedback"));
        for (name, sets) in [("random", &[][..]), ("kolen_pollack", &[]), ("noisy_copy", &["learning.feedback_noise=0.25"])] {
            let recipe = recipe(&[&[format!("learning.feedback={name}").as_str()], sets].concat()).unwrap();
            let topology = recipe.expected_topology().unwrap();
            assert!(topology.has_feedback() && topology.is_alike(&plain.expected_topology().unwrap()));
            let text = recipe.params().to_toml().unwrap();
            assert!(text.contains(&format!("feedback = \"{name}\"")), "{text}");
            assert_eq!(Recipe::parse(&text, "again", &[]).unwrap().params(), recipe.params());
            let drops = Recipe::parse(&text, "again", &["learning.feedback=tied".into()]).unwrap();
            assert_eq!(drops.inference(0).feedback, Feedback::Tied);
        }
    }

    #[test]
    fn kolen_pollack_without_weight_decay_is_warned_of() {
        let warnings =
            |sets: &[&str]| recipe(&[&["learning.feedback=kolen_pollack"], sets].concat()).unwrap().warnings().to_vec();
        for sets in
            [&["optimizer.weight_decay=0"][..], &["optimizer.kind=adam"], &["optimizer.kind=adamw", "optimizer.weight_decay=0"]]
        {
            let warnings = warnings(sets);
            assert!(warnings.len() == 1 && warnings[0].contains("there is none"), "{sets:?}: {warnings:?}");
        }
        for sets in [&["optimizer.kind=sgd", "optimizer.weight_decay=1e-4"][..], &["optimizer.kind=adamw"]] {
            assert_eq!(warnings(sets), [""; 0], "{sets:?}");
        }
        assert_eq!(recipe(&["learning.feedback=random", "optimizer.kind=sgd"]).unwrap().warnings(), [""; 0]);
    }
}
