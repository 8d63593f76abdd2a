//! Bytes that are nearly those of a sound file.

use dualprop::base::random::{Purpose, Random};

/// Numbers that formats are known to stumble over.
const WORDS: [u64; 7] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 60, i64::MAX as u64, u64::MAX];

/// The same in text, and what is no number.
const TEXTS: [&str; 8] = ["0", "-1", "1152921504606846976", "18446744073709551616", "1e999", "nan", "\"\"", "[[[[[[[[[[[[[["];

/// A mutation, and what was done.
type Mutation = (String, Vec<u8>);

/// At most so many mutations of these bytes of each kind, the same ones each time: cut off, a byte changed, a word replaced, a
/// number in the text replaced, a part taken out or put in twice, several at once.
pub(crate) fn mutations(seed: &[u8], most: usize) -> impl Iterator<Item = Mutation> + '_ {
    let every = move |kind: usize| seed.len().div_ceil(most / kind).max(1);
    let cut = (0..seed.len()).step_by(every(6)).map(|length| (format!("cut off after {length}"), seed[..length].to_vec()));
    let flipped = (0..seed.len()).step_by(every(3)).flat_map(move |place| {
        [0x01, 0x80, 0xff].map(|flip| (format!("byte {place} ^ {flip}"), changed(seed, place, &[seed[place] ^ flip])))
    });
    let words = (0..seed.len()).step_by(every(2)).map(move |place| {
        let word = WORDS[place % WORDS.len()];
        let bytes = if (place / WORDS.len()).is_multiple_of(2) { word.to_le_bytes() } else { word.to_be_bytes() };
        (format!("word {word:#x} at {place}"), changed(seed, place, &bytes))
    });
    cut.chain(flipped).chain(words).chain(texts(seed, most / 4)).chain(random(seed, most / 4))
}

fn changed(seed: &[u8], place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut copy = seed.to_vec();
    let end = seed.len().min(place + bytes.len());
    copy[place..end].copy_from_slice(&bytes[..end - place]);
    copy
}

/// Each number in a text replaced, in a header of safetensors with the length that it then has.
fn texts(seed: &[u8], most: usize) -> impl Iterator<Item = Mutation> + '_ {
    let digits = |place: &usize| seed[*place].is_ascii_digit() && (*place == 0 || !seed[place - 1].is_ascii_digit());
    let numbers: Vec<usize> = (0..seed.len().min(1 << 14)).filter(digits).collect();
    let every = (numbers.len() * TEXTS.len()).div_ceil(most).max(1);
    let all = numbers.into_iter().flat_map(|place| TEXTS.map(|text| (place, text)));
    all.step_by(every).map(move |(place, text)| {
        let end = place + seed[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut bytes = [&seed[..place], text.as_bytes(), &seed[end..]].concat();
        if let Some(length) = seed.first_chunk().map(|word| u64::from_le_bytes(*word)).filter(|n| *n < seed.len() as u64) {
            let longer = (length + text.len() as u64).saturating_sub((end - place) as u64);
            bytes[..8.min(place)].copy_from_slice(&longer.to_le_bytes()[..8.min(place)]);
        }
        (format!("{text} at {place}"), bytes)
    })
}

/// Several changes at once, by a generator with a fixed seed.
fn random(seed: &[u8], count: usize) -> impl Iterator<Item = Mutation> + '_ {
    (0..count as u32).map(move |number| {
        let mut random = Random::new(6, Purpose::Synthetic, 0, number);
        let mut bytes = seed.to_vec();
        for _ in 0..=random.below(4) {
            if bytes.is_empty() {
                break;
            }
            let [a, b] = [0; 2].map(|_| random.below(bytes.len()));
            let part = a.min(b)..a.max(b).min(a.min(b) + 64);
            match random.below(4) {
                0 => bytes[a] = random.bits() as u8,
                1 => drop(bytes.drain(part)),
                2 => {
                    let twice = bytes[part.clone()].to_vec();
                    bytes.splice(part.start..part.start, twice);
                }
                _ => {
                    let word = WORDS[random.below(WORDS.len())].to_le_bytes();
                    bytes = changed(&bytes, a, &word);
                }
            }
        }
        (format!("random {number}"), bytes)
    })
}
