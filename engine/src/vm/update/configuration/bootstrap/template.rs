//! Templates in vApp properties and in answer files: what stands between `{{` and `}}` is worked out from the VM's network. Source: vm-lifecycle §11.9.
//!
//! The language is the part of Go's templates that expressions need: functions with arguments, pipes, parentheses, fields, `index`. A text that isn't
//! understood, or asks for something that isn't there, stays as it is. `\{` and `\}` stand for braces that begin no template.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/bootstrap_templatedata.go`.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{Guest, customization};
use crate::vm::VmDraft;

/// How deep parentheses may stand in each other.
const DEPTH_MAX: usize = 16;
/// The versions whose functions and data there are; they don't differ.
const VERSIONS: [&str; 5] = ["V1alpha1", "V1alpha2", "V1alpha3", "V1alpha4", "V1alpha5"];

/// What templates can speak of.
#[derive(Debug)]
pub(super) struct Data {
    devices: Vec<Device>,
    nameservers: Vec<String>,
    fields: Value,
}

#[derive(Debug)]
struct Device {
    mac: String,
    /// IPv4 addresses with their prefix.
    addresses: Vec<String>,
    gateway: String,
}

impl Data {
    /// The network as the guest is meant to have it.
    pub(super) fn of(draft: &VmDraft, guest: &Guest<'_>) -> Self {
        let config = customization::intended(draft);
        let device = |(nth, interface): (usize, &vmtwin_model::kube::virtual_machine::NetworkConfigInterfaceStatus)| {
            let ip = interface.ip.clone().unwrap_or_default();
            let is_v4 = |cidr: &String| cidr.split_once('/').is_some_and(|(ip, _)| ip.parse().is_ok_and(|ip: IpAddr| ip.is_ipv4()));
            Device {
                mac: customization::mac(guest, nth).replace(':', "-"),
                addresses: ip.addresses.into_iter().filter(is_v4).collect(),
                gateway: ip.gateway4,
            }
        };
        let devices = config.interfaces.iter().enumerate().map(device).collect();
        let nameservers = config.dns.map(|dns| dns.nameservers).unwrap_or_default();
        Self::new(devices, nameservers, draft.namespace(), draft.name())
    }

    fn new(devices: Vec<Device>, nameservers: Vec<String>, namespace: &str, name: &str) -> Self {
        let told = |device: &Device| json!({"MacAddress": device.mac, "IPAddresses": device.addresses, "Gateway4": device.gateway});
        let all: Vec<Value> = devices.iter().map(told).collect();
        let version = json!({
            "Net": {"Devices": all, "Nameservers": nameservers},
            "VM": {"Name": name, "Namespace": namespace, "ObjectMeta": {"Name": name, "Namespace": namespace}},
        });
        let fields: Map<String, Value> = VERSIONS.iter().map(|name| ((*name).to_owned(), version.clone())).collect();
        Self { devices, nameservers, fields: fields.into() }
    }

    /// The text with its templates worked out.
    pub(super) fn render(&self, text: &str) -> String {
        let rendered = self.worked_out(text).unwrap_or_else(|| text.to_owned());
        rendered.replace("\\{", "{").replace("\\}", "}")
    }

    fn worked_out(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inner, tail) = after.split_once("}}")?;
            let (inner, trims_before) = inner.strip_prefix("- ").map_or((inner, false), |inner| (inner, true));
            let (inner, trims_after) = inner.strip_suffix(" -").map_or((inner, false), |inner| (inner, true));
            out.push_str(if trims_before { before.trim_end() } else { before });
            if !(inner.starts_with("/*") && inner.ends_with("*/")) {
                out.push_str(&text_of(&self.evaluate(inner)?)?);
            }
            rest = if trims_after { tail.trim_start() } else { tail };
        }
        out.push_str(rest);
        Some(out)
    }

    fn evaluate(&self, source: &str) -> Option<Value> {
        let tokens = tokens(source)?;
        let mut parser = Parser { data: self, tokens: &tokens, at: 0 };
        let value = parser.pipeline(0)?;
        (parser.at == tokens.len()).then_some(value)
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        let text = |nth: usize| arguments.get(nth)?.as_str();
        let number = |nth: usize| arguments.get(nth)?.as_i64();
        let device = |nth: i64| self.devices.get(usize::try_from(nth).ok()?);
        let name = match function.split_once('_') {
            Some((version, name)) if VERSIONS.contains(&version) => name,
            None if function == "index" => return indexed(arguments),
            None if function == "len" => return arguments.first()?.as_array().map(|list| list.len().into()),
            _ => return None,
        };
        match (name, arguments.len()) {
            ("FirstIP", 0) => Some(device(0)?.addresses.first()?.as_str().into()),
            ("FirstNicMacAddr", 0) => Some(device(0)?.mac.as_str().into()),
            ("FirstIPFromNIC", 1) => Some(device(number(0)?)?.addresses.first()?.as_str().into()),
            ("IPsFromNIC", 1) => Some(json!(device(number(0)?)?.addresses)),
            ("FormatNameservers", 2) => self.nameservers(number(0)?, text(1)?).map(Value::from),
            ("SubnetMask", 1) => subnet_mask(text(0)?).map(Value::from),
            ("IP", 1) => with_default_mask(text(0)?).map(Value::from),
            ("FormatIP", 2) => with_mask(text(0)?, text(1)?).map(Value::from),
            _ => None,
        }
    }

    /// The first so many of them, or all.
    fn nameservers(&self, count: i64, delimiter: &str) -> Option<String> {
        let all = &self.nameservers;
        let count = usize::try_from(count).unwrap_or(all.len()).min(all.len());
        (!all.is_empty()).then(|| all[..count].join(delimiter))
    }
}

fn indexed(arguments: &[Value]) -> Option<Value> {
    let (first, keys) = arguments.split_first()?;
    let mut value = first;
    for key in keys {
        value = value.get(usize::try_from(key.as_i64()?).ok()?)?;
    }
    Some(value.clone())
}

/// A value as Go prints it; structures aren't printed.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(list) => {
            let texts: Option<Vec<String>> = list.iter().map(text_of).collect();
            Some(format!("[{}]", texts?.join(" ")))
        }
        _ => None,
    }
}

fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let (address, prefix): (IpAddr, u32) = (address.parse().ok()?, prefix.parse().ok()?);
    (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, prefix))
}

fn subnet_mask(text: &str) -> Option<String> {
    let (_, prefix) = cidr(text)?;
    Some(customization::mask(&prefix.min(32).to_string()))
}

/// The address with the prefix of its class.
fn with_default_mask(text: &str) -> Option<String> {
    let prefix = match text.parse().ok()? {
        IpAddr::V4(v4) => match v4.octets()[0] {
            0..=127 => 8,
            128..=191 => 16,
            _ => 24,
        },
        IpAddr::V6(_) => 0,
    };
    Some(format!("{text}/{prefix}"))
}

/// The address with this mask, which is a length (`/24`), a mask (`255.255.255.0`) or nothing.
fn with_mask(text: &str, mask: &str) -> Option<String> {
    let address: IpAddr = cidr(text).map(|(address, _)| address).or_else(|| text.parse().ok())?;
    if mask.is_empty() {
        return Some(address.to_string());
    }
    if mask.starts_with('/') {
        let whole = format!("{address}{mask}");
        return cidr(&whole).map(|_| whole);
    }
    let (ones, zeros, bits) = match (address, mask.parse().ok()?) {
        (IpAddr::V4(_), IpAddr::V4(mask)) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros(), 32),
        (IpAddr::V6(_), IpAddr::V6(mask)) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros(), 128),
        _ => return None,
    };
    (ones + zeros == bits).then(|| format!("{address}/{ones}"))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    /// `.A.B`, and whether it follows what stands before without a space.
    Fields(Vec<String>, bool),
    Constant(Value),
    Open,
    Close,
    Pipe,
}

fn tokens(source: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut follows = false;
    while let Some(first) = rest.chars().next() {
        let (token, taken) = match first {
            space if space.is_whitespace() => {
                rest = &rest[first.len_utf8()..];
                follows = false;
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Pipe, 1),
            '"' => quoted(rest)?,
            '`' => {
                let end = rest[1..].find('`')?;
                (Token::Constant(rest[1..=end].into()), end + 2)
            }
            '.' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
                let fields: Vec<String> = rest[1..end].split('.').map(str::to_owned).collect();
                if fields.iter().any(String::is_empty) {
                    return None;
                }
                (Token::Fields(fields, follows), end)
            }
            digit if digit.is_ascii_digit() || digit == '-' => {
                let end = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
                (Token::Constant(rest[..end].parse::<i64>().ok()?.into()), end)
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                (Token::Name(rest[..end].to_owned()), end)
            }
            _ => return None,
        };
        tokens.push(token);
        rest = &rest[taken..];
        follows = true;
    }
    Some(tokens)
}

/// A text in quotation marks, with Go's usual escapes.
fn quoted(source: &str) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((Token::Constant(text.into()), at + 1)),
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                same @ ('"' | '\\' | '\'') => same,
                _ => return None,
            }),
            plain => text.push(plain),
        }
    }
    None
}

/// Works an expression out while it reads it.
struct Parser<'a> {
    data: &'a Data,
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// Commands, each of which gets the value of the one before as its last argument.
    fn pipeline(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut value = self.command(depth, None)?;
        while self.peek() == Some(&Token::Pipe) {
            self.at += 1;
            value = self.command(depth, Some(value))?;
        }
        Some(value)
    }

    /// A function with its arguments, or a value alone.
    fn command(&mut self, depth: usize, last: Option<Value>) -> Option<Value> {
        if let Some(Token::Name(function)) = self.peek().cloned() {
            self.at += 1;
            let mut arguments = Vec::new();
            while !matches!(self.peek(), None | Some(Token::Pipe | Token::Close)) {
                arguments.push(self.operand(depth)?);
            }
            arguments.extend(last);
            return self.data.call(&function, &arguments);
        }
        let value = self.operand(depth)?;
        last.is_none().then_some(value)
    }

    /// A constant, a field, a function without arguments, or what stands in parentheses, with the fields behind it.
    fn operand(&mut self, depth: usize) -> Option<Value> {
        let token = self.peek()?.clone();
        self.at += 1;
        let mut value = match token {
            Token::Constant(value) => value,
            Token::Name(function) => self.data.call(&function, &[])?,
            Token::Fields(fields, _) => field(&self.data.fields, &fields)?,
            Token::Open => {
                let value = self.pipeline(depth + 1)?;
                if self.peek() != Some(&Token::Close) {
                    return None;
                }
                self.at += 1;
                value
            }
            Token::Close | Token::Pipe => return None,
        };
        if let Some(Token::Fields(fields, true)) = self.peek() {
            value = field(&value, fields)?;
            self.at += 1;
        }
        Some(value)
    }
}

fn field(value: &Value, names: &[String]) -> Option<Value> {
    names.iter().try_fold(value, |value, name| value.get(name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let device = |mac: &str, addresses: &[&str]| Device {
            mac: mac.to_owned(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            gateway: "10.0.0.1".to_owned(),
        };
        let devices = vec![device("00-50-56-00-00-01", &["10.0.0.5/24", "10.0.0.6/24"]), device("00-50-56-00-00-02", &[])];
        let nameservers = ["8.8.8.8", "1.1.1.1"].map(str::to_owned).to_vec();
        Data::new(devices, nameservers, "ns", "web").render(text)
    }

    #[test]
    fn functions_speak_of_the_network() {
        for (text, expected) in [
            ("{{ V1alpha1_FirstIP }}", "10.0.0.5/24"),
            ("ip={{V1alpha3_FirstIP}};", "ip=10.0.0.5/24;"),
            ("{{ V1alpha2_FirstNicMacAddr }}", "00-50-56-00-00-01"),
            ("{{ V1alpha1_FirstIPFromNIC 0 }}", "10.0.0.5/24"),
            ("{{ V1alpha1_IPsFromNIC 0 }}", "[10.0.0.5/24 10.0.0.6/24]"),
            ("{{ V1alpha1_FormatNameservers 1 \",\" }}", "8.8.8.8"),
            ("{{ V1alpha1_FormatNameservers -1 \"-\" }}", "8.8.8.8-1.1.1.1"),
            ("{{ V1alpha1_SubnetMask V1alpha1_FirstIP }}", "255.255.255.0"),
            ("{{ V1alpha1_IP \"192.168.1.37\" }}", "192.168.1.37/24"),
            ("{{ V1alpha1_FormatIP V1alpha1_FirstIP \"\" }}", "10.0.0.5"),
            ("{{ V1alpha1_FormatIP \"192.168.1.37\" \"255.255.0.0\" }}", "192.168.1.37/16"),
            ("{{ V1alpha1_FormatIP (V1alpha1_FirstIPFromNIC 0) \"/16\" }}", "10.0.0.5/16"),
            ("{{ (index .V1alpha1.Net.Devices 0).Gateway4 }}", "10.0.0.1"),
            ("{{ index (index .V1alpha1.Net.Devices 0).IPAddresses 1 }}", "10.0.0.6/24"),
            ("{{ .V1alpha5.Net.Nameservers }} of {{ .V1alpha1.VM.Name }}", "[8.8.8.8 1.1.1.1] of web"),
            ("{{ V1alpha1_FirstIP | V1alpha1_SubnetMask }}", "255.255.255.0"),
            ("a {{- /* nothing */ -}} b", "ab"),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_or_not_there_stays_as_it_is() {
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
        for text in [
            "plain",
            "{{ not closed",
            "{{ V1alpha1_FirstIPFromNIC 5 }}",
            "{{ V1alpha1_FirstIPFromNIC 1 }}",
            "{{ V1alpha1_FormatIP \"192.168.1.37\" \"255.0.255.0\" }}",
            "{{ V1alpha9_FirstIP }}",
            "{{ if true }}x{{ end }}",
            "{{ .V1alpha1.VM }}",
            "{{ V1alpha1_IP \"x }}",
            "{{ }}",
            &deep,
        ] {
            assert_eq!(rendered(text), text);
        }
        assert_eq!(rendered("\\{\\{ V1alpha1_FirstIP \\}\\}"), "{{ V1alpha1_FirstIP }}", "braces can be written out");
    }
}
