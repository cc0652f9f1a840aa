//! Values as JSON text: members in order of their names, numbers as they were written.

use super::{Object, Value};

impl Value {
    /// The value as JSON text without white space.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Number(number) => out.extend_from_slice(number.text().as_bytes()),
            Value::String(text) => write_text(text, out),
            Value::Array(elements) => {
                out.push(b'[');
                for (position, element) in elements.iter().enumerate() {
                    separate(position, out);
                    element.write(out);
                }
                out.push(b']');
            }
            Value::Object(object) => object.write(out),
        }
    }
}

impl Object {
    /// The object as JSON text without white space.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (position, (name, value)) in self.iter().enumerate() {
            separate(position, out);
            write_text(name, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
}

fn separate(position: usize, out: &mut Vec<u8>) {
    if position > 0 {
        out.push(b',');
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if c < ' ' => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::parse;

    #[test]
    fn what_is_written_parses_back() {
        for text in
            [r#"{"b":[1,-2.50,1e3,true,false,null],"a":{"":"x"},"c":"\u0001\"\\\n\r\té😀/"}"#, "[]", "{}", "\"\"", "0"]
        {
            let value = parse(text.as_bytes()).unwrap();
            let written = value.to_json();
            assert_eq!(parse(&written).unwrap(), value, "{}", String::from_utf8_lossy(&written));
            assert_eq!(parse(&written).unwrap().to_json(), written);
        }
        assert_eq!(parse(br#" {"b" : 1.0, "a":"\u0041"} "#).unwrap().to_json(), br#"{"a":"A","b":1.0}"#);
    }
}
