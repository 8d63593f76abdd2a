//! Protocol buffers, as they are written: a message is its fields, each a key and a content (protobuf.dev, *Encoding*).
//!
//! ```text
//! key       number of the field · 8 + how its content is written, a varint
//! 0 varint  an integer, seven bits in each byte, the lowest first; the eighth bit says that more follow
//! 1, 5      eight or four bytes, little endian
//! 2         a length, a varint, and as many bytes: a text, numbers, or a message
//! ```

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// A message that is being written, with all messages in it, in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message that will have about so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Message { bytes: Vec::with_capacity(bytes) }
    }

    /// A whole number that is not negative; of enumerations its number.
    pub(crate) fn int(&mut self, field: u64, value: u64) {
        self.key(field, VARINT);
        self.bytes.extend(varint(value));
    }

    /// A number of 32 bits.
    pub(crate) fn float(&mut self, field: u64, value: f32) {
        self.key(field, FOUR_BYTES);
        self.bytes.extend(value.to_le_bytes());
    }

    /// A number of 64 bits.
    pub(crate) fn double(&mut self, field: u64, value: f64) {
        self.key(field, EIGHT_BYTES);
        self.bytes.extend(value.to_le_bytes());
    }

    /// A text.
    pub(crate) fn text(&mut self, field: u64, text: &str) {
        self.message(field, |within| within.bytes.extend(text.as_bytes()));
    }

    /// Numbers of 32 bits, one after the other.
    pub(crate) fn floats(&mut self, field: u64, values: impl Iterator<Item = f32>) {
        self.message(field, |within| values.for_each(|value| within.bytes.extend_from_slice(&value.to_le_bytes())));
    }

    /// A message within this one, which `write` writes. Its length is put before it once it is known, so that the numbers of a model
    /// are moved by a few bytes for each message around them, and never held twice.
    pub(crate) fn message(&mut self, field: u64, write: impl FnOnce(&mut Message)) {
        self.key(field, LENGTH);
        let start = self.bytes.len();
        write(self);
        let length = varint((self.bytes.len() - start) as u64);
        self.bytes.splice(start..start, length);
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.bytes.extend(varint(field << 3 | kind));
    }
}

fn varint(value: u64) -> impl Iterator<Item = u8> {
    // Of 0 there is one byte.
    let bytes = (u64::BITS - (value | 1).leading_zeros()).div_ceil(7);
    (0..bytes).map(move |i| (value >> (7 * i)) as u8 & 0x7f | if i + 1 < bytes { 0x80 } else { 0 })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The fields of a message: number, and its bytes. It shares nothing with what writes them.
    pub(crate) fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn varint(message: &mut &[u8]) -> u64 {
            let end = message.iter().position(|byte| byte & 0x80 == 0).unwrap();
            let value = message[..=end].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
            *message = &message[end + 1..];
            value
        }
        let mut found = vec![];
        while !message.is_empty() {
            let key = varint(&mut message);
            let content = match key & 7 {
                0 => varint(&mut message).to_le_bytes().to_vec(),
                kind => {
                    let length = match kind {
                        1 => 8,
                        2 => varint(&mut message) as usize,
                        5 => 4,
                        other => panic!("a field of kind {other}"),
                    };
                    let content = message[..length].to_vec();
                    message = &message[length..];
                    content
                }
            };
            found.push((key >> 3, content));
        }
        found
    }

    /// The examples of the documentation, and the largest numbers.
    #[test]
    fn fields_are_those_of_the_documentation() {
        let written = |write: fn(&mut Message)| {
            let mut message = Message::default();
            write(&mut message);
            message.into_bytes()
        };
        assert_eq!(written(|message| message.int(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(written(|message| message.int(2, 0)), [0x10, 0]);
        assert_eq!(written(|message| message.text(2, "testing")), [&[0x12, 0x07][..], b"testing"].concat());
        assert_eq!(written(|message| message.message(3, |within| within.int(1, 150))), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(written(|message| message.float(2, 1.0)), [0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(written(|message| message.double(1, 1.0)), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        // The key of a field above 15 has two bytes.
        assert_eq!(written(|message| message.int(20, 127)), [0xa0, 0x01, 0x7f]);
        assert_eq!(written(|message| message.int(1, u64::MAX)), [&[0x08][..], &[0xff; 9], &[0x01]].concat());
    }

    #[test]
    fn a_length_of_several_bytes_moves_what_it_stands_before() {
        let mut message = Message::with_capacity(0);
        message.text(1, "before");
        message.message(2, |outer| {
            outer.message(3, |inner| inner.floats(4, (0..100).map(|i| i as f32)));
            outer.int(5, 7);
        });
        let found = fields(&message.into_bytes());
        assert_eq!((found[0].1.as_slice(), found[1].0), (&b"before"[..], 2));
        let outer = fields(&found[1].1);
        assert_eq!((outer[0].0, outer[1].clone()), (3, (5, 7u64.to_le_bytes().to_vec())));
        let [(4, numbers)] = &fields(&outer[0].1)[..] else { panic!("{outer:?}") };
        assert_eq!(*numbers, (0..100).flat_map(|i| (i as f32).to_le_bytes()).collect::<Vec<u8>>());
    }
}
