//! What controllers and kubelets said in events: some causes stand nowhere else.

use std::collections::{BTreeMap, HashMap};

/// Objects whose words are kept before those of objects that are of no stack are dropped.
const MAX: usize = 2048;
/// Words kept of one object, one a reason.
const MAX_OF_ONE: usize = 8;
/// Longest text that is kept, in characters.
const LONGEST: usize = 1024;

/// An object of a namespace as events name it: kind and name.
pub(super) type Subject = (String, String);

/// What was said, by namespace and object.
#[derive(Debug, Default)]
pub(super) struct Words {
    said: HashMap<String, HashMap<Subject, Said>>,
    count: usize,
}

#[derive(Debug, Default)]
struct Said {
    /// Uid of the object that it was said of: another of the same name has nothing to do with it.
    uid: String,
    by_reason: BTreeMap<String, String>,
    last: String,
}

impl Words {
    /// Hears something. Returns whether it is news. `known` says whether an object is of a stack.
    pub(super) fn hear(
        &mut self,
        namespace: &str,
        subject: Subject,
        uid: &str,
        (reason, message): (&str, &str),
        known: &dyn Fn(&str, &Subject) -> bool,
    ) -> bool {
        if self.count >= MAX {
            self.retain(|namespace, subject| known(namespace, subject));
        }
        let in_namespace = self.said.entry(namespace.to_owned()).or_default();
        let said = in_namespace.entry(subject).or_insert_with(|| {
            self.count += 1;
            Said::default()
        });
        if said.uid != uid {
            *said = Said { uid: uid.to_owned(), ..Said::default() };
        }
        reason.clone_into(&mut said.last);
        if said.by_reason.len() >= MAX_OF_ONE && !said.by_reason.contains_key(reason) {
            said.by_reason.clear();
        }
        let message: String = message.chars().take(LONGEST).collect();
        said.by_reason.insert(reason.to_owned(), message.clone()) != Some(message)
    }

    /// Forgets all but what fits.
    fn retain(&mut self, fits: impl Fn(&str, &Subject) -> bool) {
        self.said.retain(|namespace, all| {
            all.retain(|subject, _| fits(namespace, subject));
            !all.is_empty()
        });
        self.count = self.said.values().map(HashMap::len).sum();
    }

    /// Forgets what was said of objects of a namespace that fit.
    pub(super) fn forget(&mut self, namespace: &str, fits: impl Fn(&str, &str) -> bool) {
        let Some(all) = self.said.get_mut(namespace) else { return };
        let before = all.len();
        all.retain(|(kind, name), _| !fits(kind, name));
        self.count -= before - all.len();
        if all.is_empty() {
            self.said.remove(namespace);
        }
    }

    /// What was said of an object, by reason. A uid that is empty is any.
    pub(super) fn of(&self, namespace: &str, subject: &Subject, uid: &str) -> Vec<(String, String)> {
        let said = self.said.get(namespace).and_then(|all| all.get(subject));
        let said = said.filter(|said| uid.is_empty() || said.uid.is_empty() || said.uid == uid);
        said.into_iter().flat_map(|said| said.by_reason.clone()).collect()
    }

    /// What was said of an object last.
    pub(super) fn last_of(&self, namespace: &str, subject: &Subject) -> Option<(String, String)> {
        let said = self.said.get(namespace)?.get(subject)?;
        Some((said.last.clone(), said.by_reason.get(&said.last)?.clone()))
    }

    /// What was said for a reason about an object that fits, by kind and name.
    pub(super) fn find(
        &self,
        namespace: &str,
        reason: &str,
        fits: impl Fn(&str, &str) -> bool,
    ) -> Option<String> {
        let all = self.said.get(namespace).into_iter().flatten();
        let mut found: Vec<_> = all
            .filter(|((kind, name), _)| fits(kind, name))
            .filter_map(|((_, name), said)| Some((name, said.by_reason.get(reason)?)))
            .collect();
        found.sort();
        found.first().map(|(_, message)| (*message).clone())
    }
}
