//! Whatever is written in a policy: an expression that is read again as it is printed, or an error
//! with a place.

#![no_main]

use latchkey::policy::Request;
use latchkey::policy::expression::Expression;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match text.parse::<Expression>() {
    Ok(expression) => {
        let printed = expression.condition().to_string();
        let again: Expression = printed.parse().expect("what is printed is an expression");
        assert_eq!(again.condition(), expression.condition());
        let request = Request::new("GET", "/");
        assert_eq!(again.holds(&request), expression.holds(&request));
        assert!(!expression.condition().deciding(&request).is_empty());
    }
    Err(error) => {
        assert!(error.character() <= text.chars().count() + 1);
        assert!(error.to_string().contains('^'));
    }
});
