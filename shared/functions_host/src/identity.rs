//! Random names: the GUIDs of invocations and handler starts.

use std::fmt::Write as _;

/// A random GUID (version 4) in lower case.
pub(crate) fn guid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guid_has_its_shape_and_is_new_each_time() {
        let (one, other) = (super::guid(), super::guid());
        assert_ne!(one, other);
        assert_eq!(
            one.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert_eq!(one.as_bytes()[14], b'4');
    }
}
