//! What the harness says at its command line.

use std::error::Error;
use std::process::Command;

#[test]
fn a_program_that_is_not_there_is_named() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let nowhere = folder.path().join("hone");
    let ran = Command::new(env!("CARGO_BIN_EXE_hone-soak"))
        .arg("--hone")
        .arg(&nowhere)
        .output()?;
    let said = String::from_utf8(ran.stdout)?;
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains(&*nowhere.to_string_lossy()), "{said}");
    Ok(())
}
