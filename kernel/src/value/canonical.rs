//! One byte string per value: equal values share it, whatever was written.

use super::{Object, Value};

impl Value {
    /// The value's bytes for digests and for telling values apart: numbers count by value, members come in order of their names.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(0),
            Value::Bool(boolean) => out.extend_from_slice(&[1, u8::from(*boolean)]),
            Value::Number(number) => tagged(2, number.normal_text().as_bytes(), out),
            Value::String(text) => tagged(3, text.as_bytes(), out),
            Value::Array(elements) => {
                out.push(4);
                count(elements.len(), out);
                elements.iter().for_each(|element| element.encode(out));
            }
            Value::Object(object) => object.encode(out),
        }
    }
}

impl Object {
    /// The bytes of the value that this object is.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(5);
        count(self.len(), out);
        for (name, value) in self.iter() {
            tagged(3, name.as_bytes(), out);
            value.encode(out);
        }
    }
}

fn count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::parse;

    #[test]
    fn equal_values_share_their_bytes_and_others_do_not() {
        let bytes = |text: &str| parse(text.as_bytes()).unwrap().canonical_bytes();
        assert_eq!(bytes(r#"{"a":[1,"x"],"b":null}"#), bytes(r#"{"b":null,"a":[1.0,"\u0078"]}"#));
        let all = [
            "1",
            "\"1\"",
            "[1]",
            "[[1]]",
            "{\"1\":1}",
            "true",
            "null",
            "[]",
            "{}",
            "\"\"",
            "[1,2]",
            "[[1,2]]",
            "[[1],2]",
        ];
        let distinct: std::collections::BTreeSet<Vec<u8>> = all.iter().map(|text| bytes(text)).collect();
        assert_eq!(distinct.len(), all.len());
    }
}
