//! scratch
use std::path::Path;
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Options, run};
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let story = args.next().is_some();
    let loaded = vmtwin_scenarios::format::load(Path::new(&path), &vmtwin_scenarios::format::Root { folder: std::env::current_dir().unwrap(), allow_outside: true });
    for d in &loaded.diagnostics { println!("{}", d.render(false)); }
    for s in &loaded.scenarios {
        let ran = run(s, &Options { keep: Keep::All, ..Options::default() }, &|| false);
        if story { for r in &ran.records { println!("{}", vmtwin_scenarios::timeline::line(r, vmtwin_scenarios::timeline::Style { colour: vmtwin_scenarios::timeline::Colour::Plain, width: None })); } }
        println!("{} {:?} {} events {} {:?}", s.name, ran.report.result, ran.report.events, ran.report.digest, ran.work);
        for st in &ran.report.steps { if st.message.is_some() { println!("  {} {:?} at {}: {}", st.name, st.result, st.at, st.message.as_deref().unwrap_or("")); if let Some(f) = &st.failure { for d in f.diagnostics.iter().take(4) { println!("{}", d.render(false)); } } } }
        for v in &ran.report.violations { println!("  VIOLATION {} {:?} {} expected {} observed {}", v.invariant, v.objects, v.message, v.expected, v.observed); }
        for w in &ran.report.warnings { println!("  warn {w}"); }
    }
}
