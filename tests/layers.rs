//! The layers: a module imports lower rows only. Read off the sources, so that a new arrow is seen.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of the table in the crate docs, bottom-up.
const ROWS: &[&[&str]] = &[
    &["net"],
    &["text", "moment"],
    &["register", "scan"],
    &["index"],
    &["matcher"],
    &["policy"],
    &["alert"],
    &["spool"],
    &["pipeline"],
    &["config", "metrics"],
    &["batch", "serve"],
    &["cli"],
];

fn rows() -> BTreeMap<&'static str, usize> {
    ROWS.iter()
        .enumerate()
        .flat_map(|(row, modules)| modules.iter().map(move |module| (*module, row)))
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// The module of a file: `src/scan/csv.rs` and `src/scan.rs` are `scan`.
fn module(root: &Path, file: &Path) -> String {
    let first = file.strip_prefix(root).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The crate's modules that a line of code names, `crate::…` outside comments.
fn imports(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap();
    code.match_indices("crate::")
        .map(|(at, _)| &code[at + "crate::".len()..])
        .map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap())
        .collect()
}

#[test]
fn every_module_imports_lower_rows_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rows = rows();
    let (mut files, mut arrows) = (Vec::new(), 0);
    sources(&root, &mut files);
    for file in files {
        let module = module(&root, &file);
        if module == "lib" || module == "main" {
            continue;
        }
        let row = *rows.get(module.as_str()).unwrap_or_else(|| panic!("{module} is in no row"));
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for import in imports(line).into_iter().filter(|import| *import != module) {
                let place = format!("{}:{}", file.display(), number + 1);
                let lower = *rows.get(import).unwrap_or_else(|| panic!("{place}: {import} is in no row"));
                assert!(lower < row, "{place}: {module} (row {row}) imports {import} (row {lower})");
                arrows += 1;
            }
        }
    }
    assert!(arrows > 50, "only {arrows} imports were seen");
}

#[test]
fn the_doors_of_cycles_are_closed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let module = module(&root, &file);
        assert!(module != "error" && module != "errors", "each layer has its error beside what fails");
        let text = fs::read_to_string(&file).unwrap();
        let low = rows().get(module.as_str()).is_some_and(|row| *row < 9);
        for forbidden in ["SystemTime::now", "Instant::now", "std::env::", "metrics::"] {
            let said = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(forbidden));
            assert!(
                !(low && said && !text.contains("#[cfg(test)]")),
                "{}: {forbidden} below the pipeline",
                file.display()
            );
        }
    }
}
