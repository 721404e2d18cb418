//! Contents that tell when they are not whole.

/// A record of an append-only log: `<writer number length filling>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) writer: u32,
    pub(crate) number: u32,
}

impl Record {
    /// Some records are long, so that a kill can fall into the middle of their write.
    pub(crate) fn to_text(self) -> String {
        let filling = match self.number % 3 {
            0 => 2_000_000,
            _ => self.number as usize % 7,
        };
        let filling = ".".repeat(filling);
        format!(
            "<{} {} {} {filling}>",
            self.writer,
            self.number,
            filling.len()
        )
    }
}

/// The records of a log. Panics unless all are whole.
pub(crate) fn parse_records(text: &str) -> Vec<Record> {
    text.split_inclusive('>')
        .map(|record| {
            let fields = record
                .strip_prefix('<')
                .and_then(|rest| rest.strip_suffix('>'));
            let start = &record[..record.len().min(40)];
            let fields = fields.unwrap_or_else(|| panic!("not a whole record: {start}"));
            let fields: Vec<&str> = fields.split(' ').collect();
            let [writer, number, length, filling] = fields[..] else {
                panic!("not a whole record: {start}");
            };
            assert_eq!(
                length,
                filling.len().to_string(),
                "not a whole record: {start}"
            );
            Record {
                writer: writer.parse().unwrap(),
                number: number.parse().unwrap(),
            }
        })
        .collect()
}

/// A document that holds a number: the number, a filling, the number again.
pub(crate) fn document(number: u32) -> String {
    let filling = ".".repeat(number as usize * 7_919 % 300_000);
    format!("{number} {filling} {number}")
}

/// The number of a document. Panics unless the document is whole.
pub(crate) fn parse_document(text: &str) -> u32 {
    let (number, _) = text.split_once(' ').unwrap();
    let number = number.parse().unwrap();
    assert!(text == document(number), "half of document {number}");
    number
}
