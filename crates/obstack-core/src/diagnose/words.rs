//! Words of others, made fit for a message: one line of bounded length, no credentials, and nothing that is another
//! each time.

use std::net::IpAddr;

/// Longest quotation, in characters.
const LONGEST: usize = 300;
/// What stands where a credential stood.
const HIDDEN: &str = "<hidden>";
/// Ports from here on are given to clients, another for each connection (`net.ipv4.ip_local_port_range`).
const CLIENT_PORTS: u16 = 32_768;
/// Names whose value is a credential.
const SECRET_NAMES: &[&str] = &[
    "signature",
    "credential",
    "credentials",
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "authorization",
    "accesskey",
    "secretkey",
    "secretaccesskey",
    "apikey",
];

/// Words as a message may quote them.
pub(super) fn quote(said: &str) -> String {
    cut(&stable(&harmless(said), &[]))
}

/// Words about requests to an endpoint as a message may quote them. An address that stands in a URL is the one that was
/// configured: it stays the same, and a person needs it.
pub(super) fn quote_endpoint(said: &str) -> String {
    let text = harmless(said);
    let urls = text.split("://").skip(1);
    let own: Vec<Address<'_>> = urls
        .filter_map(|url| Address::parse(url.split(|c| !is_of_address(c)).next().unwrap_or_default()))
        .collect();
    cut(&stable(&text, &own))
}

/// Words in one line without credentials.
fn harmless(said: &str) -> String {
    let line: Vec<&str> =
        said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    hide(&line.join(" "))
}

/// The last words of a container: the line that says why it ended, without the clock and the place in the code.
pub(super) fn last(said: &str) -> String {
    let lines = lines(said);
    let telling = |line: &&String| {
        let line = line.to_lowercase();
        ["error", "err=", "fatal", "flag provided", "failed to"].iter().any(|mark| line.contains(mark))
    };
    // A panic is followed by its stack, a wrong flag by how to ask for help.
    let panic = lines.iter().find(|line| is_panic(line));
    let cause = || lines.iter().rev().filter(telling).find(|line| !is_consequence(line));
    let line = panic.or_else(cause).or_else(|| lines.iter().rev().find(telling)).or(lines.last());
    let noise = ["ts=", "t=", "time=", "level=", "caller="];
    let line = line.map_or("", String::as_str);
    // An error of Go that carries its stack has it behind the first line, in one with it.
    let line = line
        .find("\\n\\t")
        .and_then(|stack| line.get(..stack))
        .map_or(line, |head| head.rsplit_once("\\n").map_or(head, |(news, _)| news));
    let words = line.split_whitespace();
    let words: Vec<&str> = words.filter(|word| !noise.iter().any(|noise| word.starts_with(noise))).collect();
    quote(&words.join(" "))
}

/// One module of Mimir or Tempo failed and all that stand on it or beside it say so after it
/// (`dskit/services`, `dskit/modules/module_service.go`).
fn is_consequence(line: &str) -> bool {
    ["context canceled", "because it depends on module", "err=\"failed services"]
        .iter()
        .any(|mark| line.contains(mark))
}

/// The lines of a log. One that ends in a colon has its news in the next one (`yaml: unmarshal errors:`).
fn lines(said: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match lines.last_mut().filter(|before| before.ends_with(':') && !is_panic(line)) {
            Some(before) => before.extend([" ", line]),
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Go's runtime ended the process.
pub(super) fn is_panic(said: &str) -> bool {
    said.lines().any(|line| line.starts_with("panic: ") || line.starts_with("fatal error: "))
}

/// The scheduler's words without what it says of preemption, which repeats the count.
pub(super) fn scheduler(said: &str) -> String {
    let end =
        [" preemption: ", " no new claims to deallocate"].iter().filter_map(|mark| said.find(mark)).min();
    quote(end.and_then(|end| said.get(..end)).unwrap_or(said).trim_end_matches(['.', ',']))
}

/// Why an image cannot be pulled, the same from a waiting container before and during back-off and from its events
/// (`pkg/kubelet/images/image_manager.go`); empty when nothing but that is said.
pub(super) fn image(said: &str) -> String {
    const MARKS: &[&str] = &[
        "Error: ",
        "ErrImagePull",
        "ImagePullBackOff",
        "RegistryUnavailable: ",
        "SignatureValidationFailed: ",
        ": ",
    ];
    let mut rest = said;
    loop {
        let next =
            if rest.starts_with("Back-off pulling image \"") || rest.starts_with("Failed to pull image \"") {
                rest.split_once("\": ").map_or("", |(_, tail)| tail)
            } else if rest.starts_with("rpc error: code = ") {
                rest.split_once(" desc = ").map_or(rest, |(_, tail)| tail)
            } else {
                MARKS.iter().find_map(|mark| rest.strip_prefix(mark)).unwrap_or(rest)
            };
        if next == rest {
            return quote(rest);
        }
        rest = next;
    }
}

/// The Secret that is said not to exist: `secret "name" not found`, also in the plural of the API server.
pub(super) fn missing_secret(said: &str) -> Option<&str> {
    let name =
        between(said, "secret \"", "\" not found").or_else(|| between(said, "secrets \"", "\" not found"));
    name.filter(|name| !name.contains('"'))
}

/// The text between two marks.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}

/// Hides what is, or looks like, a credential. It hides too much rather than too little.
fn hide(text: &str) -> String {
    let text = hide_user(text);
    let text =
        ["Bearer ", "bearer ", "Basic ", "basic "].iter().fold(text, |text, mark| hide_after(&text, mark));
    runs(&hide_named(&text), |c| c.is_ascii_alphanumeric() || "+/=_-".contains(c), hide_key)
}

/// User and password of a URL. A password may hold any sign, so all is hidden up to the last `@` of the word; only a
/// digest of an image follows one as well.
fn hide_user(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("://");
        let (word, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        let at = word
            .rmatch_indices('@')
            .find(|(at, _)| word.get(at + 1..).is_some_and(|s| !s.starts_with("sha256:")));
        let open = at.and_then(|(at, _)| word.get(at..)).map(|tail| format!("{HIDDEN}{tail}"));
        shown.push_str(open.as_deref().unwrap_or(word));
        shown.push_str(rest);
    }
    shown
}

/// The word after a mark.
fn hide_after(text: &str, mark: &str) -> String {
    let mut parts = text.split(mark);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        shown.push_str(mark);
        shown.push_str(if word.is_empty() { "" } else { HIDDEN });
        shown.push_str(rest);
    }
    shown
}

/// The values of names such as `password=`, `X-Amz-Signature=` or `"secretKey":`.
fn hide_named(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, sign, after)) = split_sign(rest) {
        shown.push_str(before);
        shown.push(sign);
        rest = after;
        if !is_secret_name(before, sign) {
            continue;
        }
        let value = after.trim_start_matches([' ', '"', '\'', '\\']);
        let opening = after.get(..after.len() - value.len()).unwrap_or_default();
        // A quoted value may hold spaces, and ends at the quote it began with.
        let quote = opening.chars().rev().find(|c| matches!(c, '"' | '\''));
        let end = value.find(|c| quote.map_or_else(|| is_end(c), |quote| c == quote)).unwrap_or(value.len());
        let (value, tail) = value.split_at(end);
        shown.push_str(opening);
        shown.push_str(if value.is_empty() { "" } else { HIDDEN });
        rest = tail;
    }
    shown + rest
}

/// The text before the first `=` or `:`, that sign, and what follows it.
fn split_sign(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['=', ':'])?;
    let (before, rest) = text.split_at(at);
    let mut rest = rest.chars();
    Some((before, rest.next()?, rest.as_str()))
}

/// Whether what stands before a sign ends with the name of a credential. Before a colon the whole last part must be
/// one: `SignatureDoesNotMatch: ...` is what S3 says, and no secret.
fn is_secret_name(before: &str, sign: char) -> bool {
    let quoted = before.ends_with(['"', '\'']);
    let before = before.trim_end_matches(['"', '\'', '\\', ' ']);
    let name = before
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .next()
        .unwrap_or_default();
    let name: String = name.to_lowercase().chars().filter(|c| *c != '-' && *c != '_').collect();
    let whole = sign == ':' && !quoted;
    SECRET_NAMES.iter().any(|secret| if whole { name.ends_with(secret) } else { name.contains(secret) })
        || name.starts_with("xamz")
}

/// A key id of AWS, or a run that is too mixed to be a word: secret keys, tokens, ids of requests.
fn hide_key(run: &str) -> Option<String> {
    let id = ["AKIA", "ASIA"].iter().any(|mark| {
        let tail = run.split_once(mark).map_or("", |(_, tail)| tail);
        tail.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit()).count() >= 8
    });
    let has = |fits: fn(&char) -> bool| run.chars().any(|c| fits(&c));
    let mixed = run.len() >= 32
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit);
    (id || mixed).then(|| HIDDEN.to_owned())
}

/// Where an unquoted value ends.
fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'')
}

/// Replaces what is another each time: addresses of pods, which are all but `own`, ports of clients, moments, places in
/// memory.
fn stable(text: &str, own: &[Address<'_>]) -> String {
    let text = runs(text, |c| c.is_ascii_alphanumeric() || "-:.+/".contains(c), moment);
    let text = runs(&text, is_of_address, |run| Some(Address::parse(run)?.shown(own)));
    runs(
        &text,
        |c| c.is_ascii_alphanumeric(),
        |run| {
            let digits = run.strip_prefix("0x")?;
            (digits.len() >= 6 && digits.chars().all(|c| c.is_ascii_hexdigit())).then(|| "0x…".to_owned())
        },
    )
}

/// A date or a time of day: `2026-01-01T10:00:00.1Z`, `2026/01/01`, `10:00:00`.
fn moment(run: &str) -> Option<String> {
    let shape: String = run.chars().take(10).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is =
        shape.starts_with("0000-00-00") || shape.starts_with("0000/00/00") || shape.starts_with("00:00:00");
    is.then(|| "<time>".to_owned())
}

/// What an address is made of.
fn is_of_address(c: char) -> bool {
    c.is_ascii_hexdigit() || "[]:.".contains(c)
}

/// An IP address as it stands in a text.
struct Address<'a> {
    /// The address, with the brackets that it stands in.
    host: &'a str,
    ip: IpAddr,
    port: Option<u16>,
    /// A colon that follows.
    tail: &'static str,
}

impl<'a> Address<'a> {
    fn parse(run: &'a str) -> Option<Self> {
        let run = run.trim_end_matches('.');
        let end = if run.starts_with('[') { run.find(']')? + 1 } else { run.find(':').unwrap_or(run.len()) };
        let (host, rest) = run.split_at(end);
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip = bare.unwrap_or(host).parse().ok()?;
        let port = rest.strip_prefix(':').unwrap_or(rest).split(':').next()?.parse().ok();
        Some(Self { host, ip, port, tail: if rest.ends_with(':') { ":" } else { "" } })
    }

    /// Hidden if it is none of `own`, with the port of a server behind it if there is one.
    fn shown(&self, own: &[Self]) -> String {
        let mut same = own.iter().filter(|own| own.ip == self.ip).peekable();
        let host = if same.peek().is_some() { self.host } else { "<ip>" };
        let port = self.port.filter(|port| *port < CLIENT_PORTS || same.any(|own| own.port == Some(*port)));
        port.map_or_else(|| format!("{host}{}", self.tail), |port| format!("{host}:{port}{}", self.tail))
    }
}

/// The text with each longest run of such characters replaced, where there is something to replace it by.
fn runs(text: &str, is_member: impl Fn(char) -> bool, replace: impl Fn(&str) -> Option<String>) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (run, tail) = rest.split_at(rest.find(|c| !is_member(c)).unwrap_or(rest.len()));
        shown.push_str(replace(run).as_deref().unwrap_or(run));
        let (other, tail) = tail.split_at(tail.find(&is_member).unwrap_or(tail.len()));
        shown.push_str(other);
        rest = tail;
    }
    shown
}

#[cfg(test)]
mod tests;
