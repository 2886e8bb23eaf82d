//! `docs/reference/advisories.md`: what `status.advisories` can say.

use obstack_api::Severity;
use obstack_core::design::advisories::Advice;

use super::markdown::{MADE, code, head, row};

const INTRO: &str = "
# Advisories

Advice that stops nothing: what is allowed and runs, but will hurt one day. It stands in `status.advisories`, each code once, with the numbers of the stack.

```
kubectl get obstack N -n NS -o jsonpath='{range .status.advisories[*]}{.severity}{\"\\t\"}{.code}{\"\\t\"}{.message}{\"\\n\"}{end}'
```

Codes are stable: match on them. Messages are for people and may change. What has gone wrong is said by [conditions](conditions.md).

";

/// The page.
pub fn page() -> String {
    let mut text = format!("{MADE}{INTRO}{}", head(&["code", "severity", "meaning", "what to do"]));
    for advice in Advice::ALL {
        let severity = match advice.severity() {
            Severity::Info => "Info",
            Severity::Warning => "Warning",
        };
        text.push_str(&row(&[&code(advice.code()), severity, advice.meaning(), advice.fix()]));
    }
    text
}
