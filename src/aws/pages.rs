//! Lists of many pages, read to their end.

use super::fault::Fault;
use crate::apply::{Failed, Retry};

/// More pages than any account's list has: 500 of 50 to 1000 things each.
const PAGES_MAX: u32 = 500;

/// Counts the pages of a list, since a service that repeats a token would never end.
#[derive(Default)]
pub(super) struct Pages {
    count: u32,
}

impl Pages {
    /// One more page.
    ///
    /// # Errors
    /// There were too many.
    pub(super) fn another(&mut self) -> Result<(), Fault> {
        self.count += 1;
        if self.count <= PAGES_MAX {
            return Ok(());
        }
        let message = format!("the list did not end within {PAGES_MAX} pages");
        Err(Fault::new(Failed::Invalid, Retry::Never, "EndlessList", &message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends() {
        let mut pages = Pages::default();
        assert!((0..PAGES_MAX).all(|_| pages.another().is_ok()));
        assert_eq!(pages.another().unwrap_err().failed, Failed::Invalid);
    }
}
