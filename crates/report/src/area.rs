//! A part of a machine that findings are about, as data: each job's crate owns its area, and only
//! the list in `check` knows all of them.

use serde::{Serialize, Serializer};

use crate::{Certainty, Finding, Page};

/// A part of a machine that findings are about.
///
/// Two areas with the same word are the same area.
#[derive(Debug)]
pub struct Area {
    /// The word that is shown and typed, such as `firewall`: lower-case letters.
    pub word: &'static str,
    /// The pages of its codes, each with the code, the usual severity and the explanation.
    pub pages: &'static [Page],
    /// What to know before mending more than one of its findings; a paragraph, or nothing.
    pub advice: Option<&'static str>,
}

impl Area {
    /// Returns a finding with the code and the usual severity of a page, still without evidence and
    /// remedies.
    ///
    /// # Panics
    /// If the page is not one of this area: its code could not be explained.
    pub fn finding(
        &'static self,
        code: &str,
        certainty: Certainty,
        title: impl Into<String>,
        impact: impl Into<String>,
    ) -> Finding {
        let page = self.pages.iter().find(|page| page.code == code);
        let page = page.unwrap_or_else(|| panic!("{code} has a page in area {}", self.word));
        Finding {
            code: page.code.to_owned(),
            severity: page.severity,
            certainty,
            area: self,
            title: title.into(),
            impact: impact.into(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        }
    }
}

impl PartialEq for Area {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for Area {}

impl Serialize for Area {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}

/// An area for tests.
#[cfg(test)]
pub(crate) static AREA: Area = Area {
    word: "firewall",
    pages: &[],
    advice: Some("Change one thing at a time and look again after each."),
};
