//! Forms by number, as they appear in a file: what models that know whole numbers alone are given.

use crate::foreign::edn::Edn;
use std::collections::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Numbered {
    numbers: HashMap<Box<str>, usize>,
    /// As written, by number.
    pub(super) names: Vec<Box<str>>,
}

impl Numbered {
    /// The number of a form, a new one if it is.
    pub(super) fn number(&mut self, form: &Edn) -> usize {
        let name: Box<str> = form.to_string().into();
        let next = self.names.len();
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.names.push(name);
        }
        number
    }
}
