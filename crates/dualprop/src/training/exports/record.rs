//! The bytes of TensorBoard's event files: protocol buffers of `tensorflow.Event`, each framed as a record of TensorFlow.
//!
//! ```text
//! record   length (u64), masked CRC-32C of it, the event, masked CRC-32C of that; little endian
//! Event    1 wall_time: double, 2 step: int64, 3 file_version: string, 5 summary: { 1 value: { 1 tag: string, 2 simple_value: float } }
//! ```

use crate::base::protobuf::Message;

/// Appends an event as a record.
pub(super) fn append(file: &mut Vec<u8>, event: &[u8]) {
    let length = (event.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked_crc(&length).to_le_bytes());
    file.extend(event);
    file.extend(masked_crc(event).to_le_bytes());
}

/// The event that a file begins with.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.text(3, "brain.Event:2");
    event.into_bytes()
}

/// Numbers of one step; those that are not finite are left out.
pub(super) fn scalars(wall_time: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.int(2, step);
    event.message(5, |summary| {
        for (tag, value) in scalars.iter().filter(|(_, value)| value.is_finite()) {
            summary.message(1, |scalar| {
                scalar.text(1, tag);
                scalar.float(2, *value as f32);
            });
        }
    });
    event.into_bytes()
}

/// TensorFlow's mask, since a sum over data that holds sums is weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's, bit by bit: a few hundred bytes an epoch need no table.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
