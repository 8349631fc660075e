//! The shape of a request's body: enough of its schema to walk it without allocating.
//!
//! The codec makes room for as many elements as an array's length field promises, before it has seen one. So every body
//! is walked first: a length that is not backed by bytes ends here. What passes holds, for every element promised, the
//! bytes of that element. An element may take no more than a byte or two and a hundred times as much once decoded, so that their
//! number is limited, too.
//!
//! Not here: what any field means. Layout: <https://kafka.apache.org/protocol#protocol_types>.

use bytes::Buf;

/// Most elements of a request, those of lists within lists and unknown tagged fields among them: several for every partition there
/// may be.
pub const ELEMENTS_MAX: i64 = 65_536;
/// Most tagged fields of a header.
const HEADER_TAGS_MAX: i64 = 64;

/// How a field is laid out.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// So many bytes.
    Fixed(usize),
    /// Text, or none at all; compact in flexible versions.
    Text,
    /// Bytes, or none at all; compact in flexible versions.
    Blob,
    /// A list of plain values.
    List(&'static Layout),
    /// A list of structures.
    Structs(&'static [Field]),
}

/// A field and the versions that have it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    since: i16,
    until: i16,
    layout: Layout,
}

/// The body of an API's requests.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The first version with compact lengths and tagged fields.
    pub flexible_since: i16,
    /// Its fields in order.
    pub fields: &'static [Field],
}

/// A field of every version.
pub const fn always(layout: Layout) -> Field {
    Field { since: 0, until: i16::MAX, layout }
}

/// A field from this version on.
pub const fn since(since: i16, layout: Layout) -> Field {
    Field { since, until: i16::MAX, layout }
}

/// A field up to this version.
pub const fn until(until: i16, layout: Layout) -> Field {
    Field { since: 0, until, layout }
}

/// A field of these versions only.
pub const fn between(since: i16, until: i16, layout: Layout) -> Field {
    Field { since, until, layout }
}

/// One byte.
pub const BYTE: Layout = Layout::Fixed(1);
/// Two bytes.
pub const SHORT: Layout = Layout::Fixed(2);
/// Four bytes.
pub const INT: Layout = Layout::Fixed(4);
/// Eight bytes.
pub const LONG: Layout = Layout::Fixed(8);
/// Sixteen bytes.
pub const UUID: Layout = Layout::Fixed(16);

impl Shape {
    /// Whether a body is whole: every length in it is backed by bytes, and it has no more than [`ELEMENTS_MAX`] elements.
    pub fn fits(&self, body: &[u8], version: i16) -> bool {
        let mut walk = Walk { rest: body, version, flexible: version >= self.flexible_since, left: ELEMENTS_MAX };
        walk.structure(self.fields).is_some()
    }
}

/// Whether a frame begins with a whole header of this version, with few tagged fields.
pub fn header_fits(frame: &[u8], version: i16) -> bool {
    const KEY_VERSION_CORRELATION: usize = 8;
    // The client's name is laid out as ever, even where tagged fields follow it.
    let mut walk = Walk { rest: frame, version, flexible: false, left: HEADER_TAGS_MAX };
    let fixed = walk.skip(KEY_VERSION_CORRELATION);
    let named = fixed.and_then(|()| if version >= 1 { walk.field(&Layout::Text) } else { Some(()) });
    named.and_then(|()| if version >= 2 { walk.tags() } else { Some(()) }).is_some()
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    /// Elements it may still have.
    left: i64,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        let version = self.version;
        for field in fields.iter().filter(|field| (field.since..=field.until).contains(&version)) {
            self.field(&field.layout)?;
        }
        if self.flexible { self.tags() } else { Some(()) }
    }

    fn field(&mut self, layout: &Layout) -> Option<()> {
        match layout {
            Layout::Fixed(bytes) => self.skip(*bytes),
            Layout::Text => {
                let length = if self.flexible { self.compact()? } else { self.rest.try_get_i16().ok()?.into() };
                self.skip(usize::try_from(length.max(0)).ok()?)
            }
            Layout::Blob => {
                let length = self.length()?;
                self.skip(usize::try_from(length.max(0)).ok()?)
            }
            Layout::List(layout) => (0..self.elements()?).try_for_each(|_| self.field(layout)),
            Layout::Structs(fields) => (0..self.elements()?).try_for_each(|_| self.structure(fields)),
        }
    }

    /// How many elements a list has, if so many are left.
    fn elements(&mut self) -> Option<i64> {
        let count = self.length()?.max(0);
        self.take(count)?;
        Some(count)
    }

    fn take(&mut self, count: i64) -> Option<()> {
        self.left -= count;
        (self.left >= 0).then_some(())
    }

    fn length(&mut self) -> Option<i64> {
        if self.flexible { self.compact() } else { self.rest.try_get_i32().ok().map(i64::from) }
    }

    /// A compact length: one more than the length, 0 for none.
    fn compact(&mut self) -> Option<i64> {
        self.varint().map(|length| i64::from(length) - 1)
    }

    fn tags(&mut self) -> Option<()> {
        let count = self.varint()?;
        self.take(i64::from(count))?;
        (0..count).try_for_each(|_| {
            self.varint()?;
            let bytes = self.varint()?;
            self.skip(usize::try_from(bytes).ok()?)
        })
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in (0..32).step_by(7) {
            let byte = self.rest.try_get_u8().ok()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        flexible_since: 2,
        fields: &[always(Layout::Structs(&[always(Layout::Text), since(1, INT)])), until(1, Layout::List(&SHORT))],
    };

    #[test]
    fn a_whole_body_fits_in_the_version_it_was_written_in() {
        assert!(SHAPE.fits(b"\0\0\0\x01\0\x02ab\0\0\0\x01\0\x07", 0));
        assert!(SHAPE.fits(b"\0\0\0\x01\0\x02ab\0\0\0\x09\0\0\0\0", 1));
        assert!(SHAPE.fits(b"\x02\x03ab\0\0\0\x09\x01\x05\x01x\0", 2));
        assert!(SHAPE.fits(b"\xff\xff\xff\xff\0\0\0\0", 0), "no list at all");
    }

    #[test]
    fn more_elements_than_a_request_may_have_do_not_fit_however_small_they_are() {
        let body = |count: i64| {
            let mut body = i32::try_from(count).unwrap().to_be_bytes().to_vec();
            body.extend(vec![0; usize::try_from(count).unwrap() * 2]);
            [body, vec![0; 4]].concat()
        };
        assert!(SHAPE.fits(&body(ELEMENTS_MAX), 0));
        assert!(!SHAPE.fits(&body(ELEMENTS_MAX + 1), 0));
    }

    #[test]
    fn a_header_is_whole_and_has_few_tagged_fields() {
        let header =
            |tags: u8| [&b"\0\x03\0\x0c\0\0\0\x09\0\x02me"[..], &[tags], &vec![0; usize::from(tags) * 2]].concat();
        assert!(header_fits(&header(0), 2) && header_fits(&header(64), 2));
        assert!(!header_fits(&header(65), 2));
        assert!((0..12).all(|length| !header_fits(&header(0)[..length], 2)));
        assert!(header_fits(&header(0)[..12], 1) && header_fits(&header(0)[..8], 0));
    }

    #[test]
    fn a_body_cut_off_anywhere_does_not_fit() {
        let whole = b"\x02\x03ab\0\0\0\x09\x01\x05\x01x\0";
        assert!((0..whole.len()).all(|length| !SHAPE.fits(&whole[..length], 2)));
    }

    #[test]
    fn a_length_that_is_not_backed_by_bytes_does_not_fit_and_is_found_at_once() {
        assert!(!SHAPE.fits(b"\x7f\xff\xff\xff\0\x02ab\0\0\0\0", 0));
        assert!(!SHAPE.fits(b"\xff\xff\xff\xff\x0f\x03ab", 2));
        assert!(!SHAPE.fits(b"\xff\xff\xff\xff\xff\x0f\x03ab", 2), "longer than any length");
    }
}
