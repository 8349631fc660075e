//! A reader of EDN, form by form (<https://github.com/edn-format/edn>).
//!
//! Of tagged literals only the form is kept, metadata and discarded forms are passed over, and a vector or list that
//! wraps the whole file is unwrapped, so that its members are read one at a time. **Invariants:** no input panics; nesting
//! and the bytes of one form are bounded, so that a form in memory is at most some thirty times [`FORM_BYTES_MAX`].
//!
//! Deliberately absent: ratios and floating point, which are kept as they are written.

use super::bytes::Bytes;
use super::error::ReadError;
use crate::file::Place;
use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::rc::Rc;

/// Deepest nesting of collections.
pub const DEPTH_MAX: u32 = 64;
/// Longest form at the top of a file, bytes.
pub const FORM_BYTES_MAX: u64 = 16 << 20;

/// A form.
#[derive(Clone, PartialEq, Debug)]
pub enum Edn {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number within 64 bits.
    Int(i64),
    /// `"text"`, `\c`.
    Text(Box<str>),
    /// `:name`, without its colon.
    Keyword(Rc<str>),
    /// Any other word: a symbol, a number of another kind.
    Word(Box<str>),
    /// `[…]`, `(…)`.
    Seq(Vec<Edn>),
    /// `#{…}`.
    Set(Vec<Edn>),
    /// `{…}`, in the file's order.
    Map(Vec<(Edn, Edn)>),
}

impl Edn {
    /// The keyword's name.
    pub fn keyword(&self) -> Option<&str> {
        match self {
            Edn::Keyword(name) => Some(name),
            _ => None,
        }
    }

    /// The number.
    pub fn int(&self) -> Option<i64> {
        match self {
            Edn::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The members of a vector, list or set.
    pub fn members(&self) -> Option<&[Edn]> {
        match self {
            Edn::Seq(members) | Edn::Set(members) => Some(members),
            _ => None,
        }
    }
}

impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |members: &[Edn]| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Edn::Nil => f.write_str("nil"),
            Edn::Bool(b) => write!(f, "{b}"),
            Edn::Int(n) => write!(f, "{n}"),
            Edn::Text(text) => write!(f, "{text:?}"),
            Edn::Keyword(name) => write!(f, ":{name}"),
            Edn::Word(word) => f.write_str(word),
            Edn::Seq(members) => write!(f, "[{}]", joined(members)),
            Edn::Set(members) => write!(f, "#{{{}}}", joined(members)),
            Edn::Map(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k} {v}")).collect();
                write!(f, "{{{}}}", pairs.join(", "))
            }
        }
    }
}

/// What stands next.
enum Item {
    Form(Edn),
    Close(u8),
    End,
}

/// The forms of a file.
#[derive(Debug)]
pub struct Forms<R> {
    bytes: Bytes<R>,
    /// Byte at which the present form began.
    began: u64,
    /// What closes the collection around the whole file.
    outer: Option<u8>,
    started: bool,
    /// The token that is being read.
    token: Vec<u8>,
    keywords: Keywords,
}

/// Keywords met lately: a file has a dozen, over and over.
#[derive(Debug, Default)]
struct Keywords {
    known: Vec<Rc<str>>,
}

impl Keywords {
    /// Keywords that are looked for.
    const KNOWN_MAX: usize = 24;

    #[inline]
    fn of(&mut self, name: &[u8]) -> Rc<str> {
        if let Some(known) = self.known.iter().find(|known| known.as_bytes() == name) {
            return known.clone();
        }
        let fresh: Rc<str> = String::from_utf8_lossy(name).into();
        if self.known.len() < Self::KNOWN_MAX {
            self.known.push(fresh.clone());
        }
        fresh
    }
}

impl<R: Read> Forms<R> {
    /// The forms of `inner`.
    pub fn new(inner: R) -> Forms<R> {
        Forms {
            bytes: Bytes::new(inner),
            began: 0,
            outer: None,
            started: false,
            token: Vec::new(),
            keywords: Keywords::default(),
        }
    }

    /// The next form and where it begins.
    ///
    /// # Errors
    /// Truncated in the middle of a form, malformed, too large, or unreadable.
    pub fn next_form(&mut self) -> Result<Option<(Edn, Place)>, ReadError> {
        loop {
            self.began = self.bytes.byte();
            let next = self.skip_blank()?;
            if !std::mem::replace(&mut self.started, true) && matches!(next, Some(b'[' | b'(')) {
                self.bytes.take();
                self.outer = next.map(closing);
                continue;
            }
            let place = self.bytes.place();
            self.began = self.bytes.byte();
            match self.item(0)? {
                Item::Form(form) => return Ok(Some((form, place))),
                Item::Close(byte) if self.outer == Some(byte) => self.outer = None,
                Item::Close(byte) => return Err(self.stray(byte)),
                Item::End if self.outer.is_some() => return Err(self.torn()),
                Item::End => return Ok(None),
            }
        }
    }

    fn torn(&self) -> ReadError {
        ReadError::truncated(self.bytes.place(), "the file ends in the middle of a form")
    }

    fn stray(&self, byte: u8) -> ReadError {
        ReadError::malformed(self.bytes.place(), format!("`{}` closes nothing", char::from(byte)))
    }

    /// Takes a byte that is known to be there.
    fn take(&mut self) -> Result<(), ReadError> {
        self.bytes.take();
        match self.bytes.byte() - self.began {
            bytes if bytes > FORM_BYTES_MAX => Err(ReadError::too_large(self.bytes.place(), bytes, FORM_BYTES_MAX)),
            _ => Ok(()),
        }
    }

    /// The first byte that is neither white space nor a comment.
    fn skip_blank(&mut self) -> Result<Option<u8>, ReadError> {
        let mut comment = false;
        loop {
            match self.bytes.peek()? {
                Some(b'\n') => comment = false,
                Some(b';') => comment = true,
                Some(byte) if comment || is_blank(byte) => {}
                other => return Ok(other),
            }
            self.bytes.take();
        }
    }

    fn item(&mut self, depth: u32) -> Result<Item, ReadError> {
        if depth > DEPTH_MAX {
            return Err(ReadError::malformed(self.bytes.place(), format!("nested deeper than {DEPTH_MAX}")));
        }
        loop {
            let Some(byte) = self.skip_blank()? else { return Ok(Item::End) };
            if byte == b'#' {
                self.take()?;
                match self.dispatch(depth)? {
                    Some(form) => return Ok(Item::Form(form)),
                    None => continue,
                }
            }
            if !matches!(byte, b'[' | b'(' | b'{' | b')' | b']' | b'}' | b'"' | b'^' | b'\\') {
                self.token()?;
                return Ok(Item::Form(word(&self.token, &mut self.keywords)));
            }
            self.take()?;
            let form = match byte {
                b'[' | b'(' => Edn::Seq(self.members(closing(byte), depth)?),
                b'{' => self.map(depth)?,
                b'"' => Edn::Text(self.text()?),
                b'\\' => Edn::Text(self.character()?),
                b'^' => {
                    self.item(depth + 1)?;
                    continue;
                }
                _ => return Ok(Item::Close(byte)),
            };
            return Ok(Item::Form(form));
        }
    }

    /// What follows a `#`: a form, or nothing where it or its tag is passed over.
    fn dispatch(&mut self, depth: u32) -> Result<Option<Edn>, ReadError> {
        match self.bytes.peek()? {
            None => Err(self.torn()),
            Some(b'_') => {
                self.take()?;
                match self.item(depth + 1)? {
                    Item::Form(_) => Ok(None),
                    Item::Close(byte) => Err(self.stray(byte)),
                    Item::End => Err(self.torn()),
                }
            }
            Some(b'{') => {
                self.take()?;
                Ok(Some(Edn::Set(self.members(b'}', depth)?)))
            }
            Some(b'"') => {
                self.take()?;
                Ok(Some(Edn::Text(self.text()?)))
            }
            Some(b'<') => Err(ReadError::malformed(self.bytes.place(), "an object that was printed to be unreadable")),
            Some(b'#') => {
                self.take()?;
                self.token()?;
                Ok(Some(Edn::Word(lossy(&self.token))))
            }
            Some(b'^') => Ok(None),
            Some(_) => {
                self.token()?;
                match self.token.is_empty() {
                    true => Err(ReadError::malformed(self.bytes.place(), "a tag without a name")),
                    false => Ok(None),
                }
            }
        }
    }

    fn members(&mut self, close: u8, depth: u32) -> Result<Vec<Edn>, ReadError> {
        let mut members = Vec::new();
        loop {
            match self.item(depth + 1)? {
                Item::Form(form) => members.push(form),
                Item::Close(byte) if byte == close => return Ok(members),
                Item::Close(byte) => return Err(self.stray(byte)),
                Item::End => return Err(self.torn()),
            }
        }
    }

    fn map(&mut self, depth: u32) -> Result<Edn, ReadError> {
        let mut members = self.members(b'}', depth)?.into_iter();
        let mut pairs = Vec::with_capacity(members.len() / 2);
        while let Some(key) = members.next() {
            let no_value = || ReadError::malformed(self.bytes.place(), format!("the key {key} of a map has no value"));
            let value = members.next().ok_or_else(no_value)?;
            pairs.push((key, value));
        }
        Ok(Edn::Map(pairs))
    }

    /// A string after its opening quote.
    fn text(&mut self) -> Result<Box<str>, ReadError> {
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.bytes.peek()? else { return Err(self.torn()) };
            self.take()?;
            match byte {
                b'"' => return Ok(String::from_utf8_lossy(&text).into()),
                b'\\' => {
                    let Some(escaped) = self.bytes.peek()? else { return Err(self.torn()) };
                    self.take()?;
                    text.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        other => other,
                    });
                }
                other => text.push(other),
            }
        }
    }

    /// A character after its backslash, as written.
    fn character(&mut self) -> Result<Box<str>, ReadError> {
        let Some(first) = self.bytes.peek()? else { return Err(self.torn()) };
        if !is_delimiter(first) {
            self.token()?;
            return Ok(lossy(&self.token));
        }
        self.take()?;
        Ok(char::from(first).to_string().into())
    }

    /// Reads a token into its place.
    #[inline]
    fn token(&mut self) -> Result<(), ReadError> {
        self.token.clear();
        let room = FORM_BYTES_MAX.saturating_sub(self.bytes.byte() - self.began) as usize;
        if !self.bytes.take_until(&DELIMITERS, room.saturating_add(1), &mut self.token)? && self.token.len() > room {
            return Err(ReadError::too_large(self.bytes.place(), FORM_BYTES_MAX + 1, FORM_BYTES_MAX));
        }
        Ok(())
    }
}

fn lossy(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

const DELIMITERS: [bool; 256] = {
    let (mut ends, mut byte) = ([false; 256], 0);
    while byte < 256 {
        ends[byte] = is_delimiter(byte as u8);
        byte += 1;
    }
    ends
};

fn closing(open: u8) -> u8 {
    if open == b'(' { b')' } else { b']' }
}

const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | 0x0B)
}

const fn is_delimiter(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b';')
}

#[inline]
fn word(token: &[u8], keywords: &mut Keywords) -> Edn {
    if let Some(number) = short_number(token) {
        return Edn::Int(number);
    }
    match token {
        [b':', name @ ..] => Edn::Keyword(keywords.of(name)),
        b"nil" => Edn::Nil,
        b"true" => Edn::Bool(true),
        b"false" => Edn::Bool(false),
        _ => other_word(String::from_utf8_lossy(token)),
    }
}

fn other_word(text: Cow<'_, str>) -> Edn {
    match text.strip_suffix('N').unwrap_or(&text).parse() {
        Ok(number) => Edn::Int(number),
        Err(_) => Edn::Word(text.into()),
    }
}

/// A whole number that is plain and short, as most of a history's tokens are.
#[inline]
fn short_number(token: &[u8]) -> Option<i64> {
    if token.is_empty() || token.len() > 18 {
        return None;
    }
    token.iter().try_fold(0, |number: i64, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, ReadError> {
        let mut forms = Forms::new(text.as_bytes());
        std::iter::from_fn(|| forms.next_form().transpose())
            .map(|form| form.map(|(form, _)| form.to_string()))
            .collect()
    }

    #[test]
    fn every_kind_of_form_is_read_and_printed_again() {
        let text = r#"{:a 1, :b [nil true -5 7N] :c "x\"y" :d #{1 (2 3)} :e \a :f 1.5 :g sym/bol} ; the end"#;
        let printed = r#"{:a 1, :b [nil true -5 7], :c "x\"y", :d #{1 [2 3]}, :e "a", :f 1.5, :g sym/bol}"#;
        assert_eq!(all(text).unwrap(), [printed]);
    }

    #[test]
    fn tags_metadata_and_discarded_forms_are_passed_over() {
        let text = r#"#jepsen.history.Op{:index 0} #inst "2024" ^{:m 1} [1] #_ [2 #_ 3] #:ns{:k 4} #object[x 0x1]"#;
        assert_eq!(all(text).unwrap(), ["{:index 0}", "\"2024\"", "[1]", "{:k 4}", "[x 0x1]"]);
    }

    #[test]
    fn a_vector_around_the_whole_file_is_unwrapped() {
        assert_eq!(all("[{:a 1}\n {:b 2}]\n").unwrap(), ["{:a 1}", "{:b 2}"]);
        assert_eq!(all("{:a 1} [2]").unwrap(), ["{:a 1}", "[2]"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, place, what) in [
            ("{:a 1}\n{:a", (2, 10), "truncated"),
            ("{:a 1}\n]", (2, 8), "closes nothing"),
            ("{:a]", (1, 4), "closes nothing"),
            ("{:a}", (1, 4), "has no value"),
            ("[1", (1, 2), "truncated"),
            ("\"x", (1, 2), "truncated"),
            ("{} #<Object>", (1, 4), "unreadable"),
        ] {
            let error = all(text).unwrap_err();
            assert_eq!(error.place, Place::Line { line: place.0, byte: place.1 }, "{text}: {error}");
            assert!(error.to_string().contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_and_size_are_bounded() {
        let deep = "{} ".to_owned() + &"[".repeat(100_000);
        assert!(all(&deep).unwrap_err().to_string().contains("nested deeper"));
        let discards = "{} ".to_owned() + &"#_ ".repeat(100_000);
        assert!(all(&discards).is_err());
        let long = format!("\"{}", "x".repeat(FORM_BYTES_MAX as usize + 1));
        assert!(all(&long).unwrap_err().to_string().contains("limit"));
        assert_eq!(all("[99999999999999999999]").unwrap(), ["99999999999999999999"]);
    }

    #[test]
    fn a_text_cut_anywhere_is_an_answer() {
        let text = r#"#x{:a 1, :b [nil #{1} "q\"" \a] ^{:m 1} :c ; z
            #_ 3 4} "é" "#;
        for cut in 0..text.len() {
            let _ = Forms::new(&text.as_bytes()[..cut]).next_form();
        }
    }
}
