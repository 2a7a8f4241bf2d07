//! What a file did not say, and what was taken for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a network computes with and that its file did not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumption {
    /// What it is about, as the exporter's flag for it is called where there is one: `norm-eps`.
    pub name: String,
    /// What was taken: `1e-5`.
    pub value: String,
    /// Why.
    pub source: Source,
}

/// Where an assumption comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The published generators of Zhu et al. are so unless told otherwise.
    Published,
    /// The concat family is so.
    Concat,
    /// Programs other than the published are mostly so, which has nothing of the kind.
    Usual,
    /// The file says it indirectly, as told here.
    Inferred(String),
    /// The user said so; what the file seemed to say against it, if anything, as told here.
    Given(Option<String>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("the published default"),
            Self::Concat => f.write_str("the concat family's"),
            Self::Usual => f.write_str("the usual"),
            Self::Inferred(why) => f.write_str(why),
            Self::Given(None) => f.write_str("given"),
            Self::Given(Some(against)) => write!(f, "given, against the file: {against}"),
        }
    }
}

impl Assumption {
    /// Assumptions as a table, a line each: name, value, where it comes from.
    pub fn table(assumptions: &[Self]) -> String {
        let width =
            |text: fn(&Self) -> &str| assumptions.iter().map(|one| text(one).chars().count()).max().unwrap_or(0);
        let (names, values) = (width(|one| &one.name), width(|one| &one.value));
        let line = |one: &Self| format!("  {:<names$}  {:<values$}  {}", one.name, one.value, one.source);
        assumptions.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
