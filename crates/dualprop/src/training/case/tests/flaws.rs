//! What every flaw of a case is called.

use std::path::Path;

use super::{DAMPED, Draft, PATH, TRAINING, plain};
use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::training::case::{Case, TraceOptions, trace};

/// The message of an error that names the file, and is the user's to mend.
fn message(result: Result<Case>) -> String {
    let error = result.map(|case| case.name()).expect_err("must be refused");
    assert!(matches!(error, Error::Malformed { .. } | Error::Unknown { .. }) && error.is_input(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(PATH), "the file is not named: {text}");
    text
}

/// Every draft must be refused with its text; all failures are listed.
fn assert_refused(table: Vec<(Draft, &str)>) {
    let wrong = |(draft, expected): (Draft, &str)| {
        let text = match draft.read() {
            Ok(_) => "accepted".to_string(),
            error => message(error),
        };
        (!text.contains(expected)).then(|| format!("expected `{expected}`, got: {text}"))
    };
    let failures: Vec<String> = table.into_iter().filter_map(wrong).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

fn parse(bytes: &[u8]) -> Result<Case> {
    Case::parse(Path::new(PATH), bytes)
}

#[test]
fn every_key_and_tensor_that_a_case_needs_is_missed_by_name() {
    let training = || Draft::of(TRAINING);
    let keys = "rule alpha beta schedule passes activation loss input_shape conv_features pool_after_conv dense_features batch";
    for key in keys.split(' ') {
        assert!(message(plain().unset(key).read()).contains(&format!("metadata `{key}` is missing: expected ")), "{key}");
    }
    let keys =
        "steps momentum weight_decay schedule_kind learning_rate init_learning_rate final_learning_rate warmup_steps decay_steps";
    for key in keys.split(' ') {
        assert!(message(training().unset(key).read()).contains(&format!("metadata `{key}` is missing: expected ")), "{key}");
    }
    for name in ["x", "labels", "kernel.0", "kernel.1", "kernel.2", "bias.0", "bias.1", "bias.2"] {
        assert!(message(plain().without(name).read()).contains(&format!("tensor `{name}` is missing")), "{name}");
        let shape = plain().tensors[name].1.clone();
        let flat: usize = shape.iter().product();
        let text = message(plain().reshaped(name, &[1, flat]).read());
        assert!(text.contains(&format!("tensor `{name}` has shape [1, {flat}], but the metadata ask for {shape:?}")), "{text}");
        let text = message(plain().with(name, "F16", &shape, &vec![[0; 2]; flat]).read());
        assert!(text.contains(&format!("tensor `{name}` is of type F16, expected ")), "{text}");
    }
    for name in ["x", "kernel.1", "bias.2"] {
        for (value, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let text = message(plain().poked(name, 3, value.to_le_bytes()).read());
            assert!(text.contains(&format!("tensor `{name}` has {shown} as element 3, expected finite numbers")), "{text}");
        }
    }
}

#[test]
fn every_wrong_setting_is_named_with_what_would_do() {
    let set = |key: &str, value: &str| plain().set(key, value);
    let huge = "1000000000000000000";
    assert_refused(vec![
        (
            plain().unset("alpha").set("alhpa", "0.25"),
            "unknown metadata key in some/case.safetensors `alhpa`; did you mean `alpha`?",
        ),
        (set("momentun", "0.9"), "`momentun`; did you mean `momentum`?"),
        (set("format", "1"), "unknown metadata key in some/case.safetensors `format`"),
        (set("rule", "dp_transposed"), "unknown rule in some/case.safetensors `dp_transposed`; did you mean `dp_transpose`?"),
        (set("schedule", "fwk"), "`fwk`; did you mean `fwK`?"),
        (set("schedule", "forward"), "unknown schedule in some/case.safetensors `forward`; "),
        (set("activation", "Relu"), "did you mean `relu`?"),
        (
            set("loss", "mse"),
            "unknown loss in some/case.safetensors `mse`; known: cross_entropy, squared_error, half_squared_error",
        ),
        (set("nudge", "frozen"), "unknown nudge in "),
        (set("start", "previous"), "unknown start in some/case.safetensors `previous`; known: forward, zero"),
        (set("start", "continued"), "known: forward, zero"),
        (set("alpha", "a half"), "metadata `alpha` is `a half`: expected a finite number, or a JSON list"),
        (set("alpha", "NaN"), "metadata `alpha` is `NaN`: expected a finite number"),
        (set("alpha", "1.5"), "metadata `alpha` is `1.5`: expected a number from 0 to 1"),
        (set("alpha", "[0.5]"), "metadata `alpha` is `[0.5]`: it has 1 values, the network has 2 hidden layers"),
        (set("alpha", &"[".repeat(100_000)), "metadata `alpha` is `[[["),
        (set("beta", "0"), "metadata `beta` is `0`: expected a finite number above 0"),
        (set("beta", "inf"), "metadata `beta` is `inf`: expected a finite number"),
        (set("beta", "[0.1]"), "metadata `beta` is `[0.1]`: expected a finite number"),
        (set("nudge", "proximal").set("beta", "2"), "metadata `beta` is `2`: the proximal nudge of squared_error"),
        (set("passes", "0"), "metadata `passes` is `0`: expected at least one pass"),
        (set("passes", "-1"), "metadata `passes` is `-1`: expected a whole number"),
        (set("passes", "3.0"), "metadata `passes` is `3.0`: expected a whole number"),
        (set("passes", huge), "expected at most 21845 for 3 layers"),
        (set("nudge_from_pass", "4"), "metadata `nudge_from_pass` is `4`: expected a pass from 1 to passes = 3"),
        (set("nudge_from_pass", "18446744073709551615"), "metadata `nudge_from_pass`"),
        (set("schedule", "bwK").set("nudge_from_pass", "2"), "metadata `schedule` is `bwK`: this order never updates the output"),
        (set("output_alpha", "0.5"), "metadata `output_alpha` is `0.5`: the nudge `linearised_frozen` gives"),
        (set("output_alpha", "2"), "metadata `output_alpha` is `2`: expected a number from 0 to 1"),
        (set("feedback_gain", "-1"), "metadata `feedback_gain` is `-1`: expected a finite number above 0"),
        (set("divide_gain", "yes"), "metadata `divide_gain` is `yes`: expected true or false"),
        (set("alpha_feedback", "0.5"), "metadata `alpha_feedback` is `0.5`: only the rule general makes use of it"),
        (set("rule", "general"), "metadata `alpha_feedback` is missing"),
        (set("rule", "backprop").set("nudge", "proximal"), "metadata `nudge` is `proximal`: backpropagation follows"),
        (set("seed", "1"), "metadata `seed` is `1`: only the schedule random makes use of it"),
        (set("damping_asymmetry", "true"), "metadata `damping_asymmetry` is `true`: only the rule dp_damped without"),
        (
            set("rule", "dp_damped").set("damping_power_iterations", "0"),
            "metadata `damping_power_iterations` is `0`: expected 1 to",
        ),
        (set("rule", "dp_damped").set("damping_power_iterations", huge), "expected 1 to 100000 iterations"),
        (set("batch", "5"), "tensor `labels` has shape [6], but the metadata ask for [5]"),
        (set("batch", "0"), "metadata `batch` is `0`: expected at least one sample"),
        (set("batch", huge), "metadata `batch` is `1000000000000000000`: with 130 neurons a sample its states are too many"),
        (set("input_shape", "[8, 8]"), "metadata `input_shape` is `[8, 8]`: expected [height, width, channels]"),
        (set("input_shape", "[8, 0, 1]"), "metadata `input_shape` is `[8, 0, 1]`: expected [height, width, channels]"),
        (set("input_shape", "[8, 4, 2]"), "tensor `x` has shape [6, 8, 8, 1], but the metadata ask for [6, 8, 4, 2]"),
        (set("input_shape", "[4294967296, 4294967296, 1]"), "metadata `input_shape` is `[4294967296, 4294967296, 1]`"),
        (set("dense_features", "[]"), "metadata `dense_features` is `[]`: expected at least one layer"),
        (set("dense_features", "[32, 0, 10]"), "metadata `dense_features` is `[32, 0, 10]`: expected at least one layer"),
        (set("dense_features", "[32, -1, 10]"), "metadata `dense_features` is `[32, -1, 10]`: expected a JSON list of whole"),
        (set("dense_features", "[32, 24, 11]"), "tensor `kernel.2` has shape [24, 10], but the metadata ask for [24, 11]"),
        (set("dense_features", "[32, 24]"), "unknown tensor in some/case.safetensors `bias.2`"),
        (set("dense_features", "[32, 24, 10, 10]"), "tensor `kernel.3` is missing"),
        (set("dense_features", "[4294967296, 4294967296]"), "metadata `dense_features`"),
        (set("conv_features", "[6, 8]"), "metadata `pool_after_conv` is `[]`: expected one for each of the 2 convolutions"),
        (set("conv_features", "[0]"), "metadata `conv_features` is `[0]`: expected at least one channel in each layer"),
        (set("conv_features", "none"), "metadata `conv_features` is `none`: expected a JSON list of whole numbers"),
        (set("pool_after_conv", "[true]"), "metadata `pool_after_conv` is `[true]`: expected one for each of the 0 conv"),
        (set("conv_sizes", "[3]"), "metadata `conv_sizes` is `[3]`: expected one for each of the 0 convolutions"),
        (set("pool_order", "never"), "unknown pool_order in some/case.safetensors `never`"),
        (set("steps", "5"), "metadata `steps` is `5`: only a training with an `optimizer` makes use of it"),
        (set("learning_rate", "1"), "metadata `learning_rate` is `1`: only a training"),
    ]);
}

#[test]
fn every_wrong_tensor_is_named_with_what_would_do() {
    let label = |value: i64| plain().poked("labels", 4, value.to_le_bytes());
    let damped = |values: &[f64]| {
        let elements: Vec<_> = values.iter().map(|value| value.to_le_bytes()).collect();
        Draft::of(DAMPED).with("damping", "F64", &[values.len()], &elements)
    };
    assert_refused(vec![
        (label(10), "tensor `labels` has 10 as element 4, expected 0 to 9"),
        (label(-1), "tensor `labels` has -1 as element 4, expected 0 to 9"),
        (label(i64::MAX), "tensor `labels` has 9223372036854775807 as element 4"),
        (plain().renamed("x", "X"), "unknown tensor in some/case.safetensors `X`"),
        (plain().renamed("kernel.1", "kernal.1"), "`kernal.1`; did you mean `kernel.1`?"),
        (plain().renamed("s_plus.3", "s_plus.4"), "unknown tensor in some/case.safetensors `s_plus.4`"),
        (plain().renamed("s_plus.3", "s_plus.0"), "unknown tensor in some/case.safetensors `s_plus.0`"),
        (plain().renamed("grad_bias.0", "grad_bias.00"), "unknown tensor in some/case.safetensors `grad_bias.00`"),
        (plain().renamed("loss", "loss.0"), "unknown tensor in some/case.safetensors `loss.0`"),
        (plain().with("weights", "F64", &[0], &[[0; 8]; 0]), "unknown tensor in some/case.safetensors `weights`"),
        (plain().with("damping", "F64", &[3], &[[0; 8]; 3]), "metadata `rule` is `dp_transpose`: only dp_damped makes use of"),
        (damped(&[1.0, 1.0]), "tensor `damping` has shape [2], but the metadata ask for [3]"),
        (damped(&[1.0, 1.0, -0.5]), "tensor `damping` is negative in element 2, expected 0 or more"),
        (damped(&[f64::NAN, 1.0, 0.5]), "tensor `damping` has NaN as element 0, expected finite numbers"),
        (
            Draft::of(DAMPED).set("damping_power_iterations", "5"),
            "`damping_power_iterations` is `5`: only the rule dp_damped without",
        ),
    ]);
}

#[test]
fn every_wrong_training_is_named_with_what_would_do() {
    let set = |key: &str, value: &str| Draft::of(TRAINING).set(key, value);
    let constant = || {
        ["init_learning_rate", "final_learning_rate", "warmup_steps"]
            .iter()
            .fold(set("schedule_kind", "constant"), |d, key| d.unset(key))
    };
    let adam = || set("optimizer", "adam").set("beta1", "0.9").set("beta2", "0.999").set("epsilon", "1e-8");
    assert_refused(vec![
        (set("optimizer", "adan"), "unknown optimizer in some/case.safetensors `adan`; did you mean `adam`?"),
        (set("schedule_kind", "warmup_cosin"), "unknown schedule_kind in some/case.safetensors `warmup_cosin`; did you mean"),
        (constant(), "metadata `decay_steps` is `4`: only the schedule_kind warmup_cosine makes use of it"),
        (adam(), "metadata `momentum` is `0.9`: only the optimizer sgd makes use of it"),
        (
            adam().unset("momentum").unset("weight_decay").unset("epsilon"),
            "metadata `epsilon` is missing: expected a finite number",
        ),
        (set("beta1", "0.9"), "metadata `beta1` is `0.9`: only the optimizer adam makes use of it"),
        (set("momentum", "1"), "metadata `momentum` is `1`: must be at least 0 and below 1"),
        (set("weight_decay", "-1"), "metadata `weight_decay` is `-1`: must be a finite number of at least 0"),
        (set("learning_rate", "fast"), "metadata `learning_rate` is `fast`: expected a finite number"),
        (set("learning_rate", "-1"), "metadata `learning_rate` is `-1`: a learning rate is"),
        (set("decay_steps", "2"), "metadata `decay_steps` is `2`: includes the 2 steps of the warm-up"),
        (set("warmup_steps", "1.5"), "metadata `warmup_steps` is `1.5`: expected a whole number"),
        (set("steps", "0"), "metadata `steps` is `0`: expected at least one step"),
        (set("steps", "6"), "tensor `labels` has shape [5, 6], but the metadata ask for [6, 6]"),
        (
            set("steps", "1000000000000000000"),
            "tensor `labels` has shape [5, 6], but the metadata ask for [1000000000000000000, 6]",
        ),
        (set("batch", "5"), "tensor `labels` has shape [5, 6], but the metadata ask for [5, 5]"),
        (
            Draft::of(TRAINING).reshaped("x", &[30, 8, 8, 1]),
            "tensor `x` has shape [30, 8, 8, 1], but the metadata ask for [5, 6, 8, 8, 1]",
        ),
        (Draft::of(TRAINING).unset("optimizer"), "tensor `labels` has shape [5, 6], but the metadata ask for [6]"),
    ]);
    let case = Draft::of(TRAINING).read().unwrap();
    let options = TraceOptions { every_pass: true, ..TraceOptions::default() };
    let error = trace::<f64>(&case, options, &Pool::new(1).unwrap()).unwrap_err();
    assert!(error.is_input() && error.to_string().starts_with("every_pass = true: it describes"), "{error}");
}

#[test]
fn truncated_and_lying_files_are_refused() {
    let bytes = plain().bytes();
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for length in (0..header).chain((header..bytes.len()).step_by(499)) {
        let text = message(parse(&bytes[..length]));
        assert!(text.contains("truncated") || text.contains("expected at least the 8"), "{length} bytes: {text}");
    }
    assert!(message(parse(&[&bytes[..], &[0]].concat())).contains("truncated or damaged"));
    for (length, expected) in [
        (0, "its header is malformed"),
        (1, "its header is malformed"),
        (header as u64 - 9, "its header is malformed"),
        (header as u64 - 7, "its tensors have 84928 bytes, but 84927 are there"),
        (1 << 40, "its header should have 1099511627776 bytes, but only"),
        (u64::MAX, "its header should have 18446744073709551615 bytes, but only"),
    ] {
        let mut bytes = bytes.clone();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        let text = message(parse(&bytes));
        assert!(text.contains(expected), "{length}: {text}");
    }
    let with_header = |header: &[u8]| message(parse(&[&(header.len() as u64).to_le_bytes(), header].concat()));
    assert!(with_header(b"{}").contains("metadata `input_shape` is missing"));
    assert!(with_header(&[b'{', b'"', 0xff, 0xfe, b'"', b'}']).contains("its header is malformed"));
    assert!(with_header("[".repeat(100_000).as_bytes()).contains("its header is malformed"));
    for (from, to) in [
        (r#""dtype":"F64""#, r#""dtype":"F65""#),
        (r#""shape":[32]"#, r#""shape":[4294967296,4294967296,4294967296]"#),
        (r#""shape":[32]"#, r#""shape":[31]"#),
        (r#""shape":[32]"#, r#""shape":[-32]"#),
        (r#""data_offsets":[0,256]"#, r#""data_offsets":[8,264]"#),
        (r#""data_offsets":[0,256]"#, r#""data_offsets":[256,0]"#),
        (r#""data_offsets":[0,256]"#, r#""data_offsets":[0,18446744073709551615]"#),
        (r#""alpha":"0.25""#, r#""alpha":0.25"#),
    ] {
        let text = std::str::from_utf8(&bytes[8..header]).unwrap();
        assert!(text.contains(from), "`{from}` is not in {text}");
        let changed = text.replacen(from, to, 1);
        let changed = [&(changed.len() as u64).to_le_bytes(), changed.as_bytes(), &bytes[header..]].concat();
        assert!(message(parse(&changed)).contains("its header is malformed"), "`{from}` -> `{to}`");
    }
}

/// Any single damaged byte of the header gives a case or an error that names the file, and never a panic.
#[test]
fn a_damaged_byte_gives_an_error_or_another_case() {
    let bytes = plain().bytes();
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let (mut refused, mut traced) = (0, 0);
    for place in 0..header {
        for flip in [1, 0x10, 0x80] {
            let mut bytes = bytes.clone();
            bytes[place] ^= flip;
            match parse(&bytes) {
                Err(error) => {
                    message(Err(error));
                    refused += 1;
                }
                Ok(case) => {
                    trace::<f32>(&case, TraceOptions::default(), &Pool::new(1).unwrap()).unwrap();
                    traced += 1;
                }
            }
        }
    }
    assert!(refused > 5000 && traced > 50, "{refused} refused, {traced} traced");
}
