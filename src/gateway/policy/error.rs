//! What is said of a policy that cannot be used.

/// A policy that cannot be used: where, and what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct PolicyError {
    /// From 1; 0 if it is not known.
    pub line: u64,
    /// From 1: where the faulty value, or what it belongs to, stands or ends.
    pub column: u64,
    /// What is wrong, and what was expected. An expression is shown on lines of its own.
    pub problem: String,
}

impl From<serde_json::Error> for PolicyError {
    fn from(error: serde_json::Error) -> Self {
        // Column 0 is what stands before the first character of a line.
        let (line, column) = (error.line() as u64, (error.column() as u64).max(1));
        let problem = error.to_string();
        let place = format!(" at line {line} column {column}");
        let problem = problem.strip_suffix(&place).unwrap_or(&problem).to_owned();
        Self { line, column, problem }
    }
}

impl PolicyError {
    pub(super) fn of_yaml(error: &serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let place = error.location();
        let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
        let problem = match error {
            serde_saphyr::Error::Message { msg, .. } => msg.clone(),
            other => {
                let problem = other.to_string();
                let place = format!(" at line {line}, column {column}");
                problem.strip_suffix(&place).unwrap_or(&problem).to_owned()
            }
        };
        Self { line, column, problem }
    }
}
