//! `site`: the documentation for users in `dist/site`, from the pages and notebooks in `docs/site` and the docstrings of the
//! package.

use crate::Result;
use crate::process::{output, program, run as run_program};
use crate::setup::{environment, python};
use crate::workspace::{root, shown, target};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "the documentation for users, in dist/site";

/// What builds it, pinned.
const REQUIREMENTS: &str = "docs/site/requirements.txt";

pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some(argument) = arguments.first() {
        return Err(format!("site takes no `{argument}`"));
    }
    println!("\n{}", shown(&build()?.join("index.html")));
    Ok(())
}

/// Builds it; a link that leads nowhere is an error.
fn build() -> Result<PathBuf> {
    let tools = environment(&target()?.join("site-tools"), &[REQUIREMENTS])?;
    let (folder, out) = (target()?.join("site"), root().join("dist/site"));
    let _ = fs::remove_dir_all(&folder);
    let pages = folder.join("docs");
    copy(&root().join("docs/site"), &pages)?;
    for notebook in notebooks(&pages)? {
        run_program(
            program(python()?).arg(root().join("xtask/python/notebook.py")).arg("page").arg(notebook).arg(&pages),
        )?;
    }
    let mut api = program(python()?);
    api.arg(root().join("xtask/python/api.py")).env("PYTHONPATH", root().join("python")).env("DARKCHUNK_AUTO", "0");
    write(&pages.join("api.md"), &output(&mut api)?)?;
    fs::rename(pages.join("mkdocs.yml"), folder.join("mkdocs.yml")).map_err(|e| format!("mkdocs.yml: {e}"))?;
    let mut mkdocs = program(tools);
    mkdocs.env("NO_MKDOCS_2_WARNING", "1");
    mkdocs.args(["-m", "mkdocs", "build", "--quiet", "--strict", "--clean", "--config-file"]);
    run_program(mkdocs.arg(folder.join("mkdocs.yml")).arg("--site-dir").arg(&out))?;
    Ok(out)
}

/// The files of a folder, which has no folders.
fn copy(from: &Path, to: &Path) -> Result {
    let failed = |e: std::io::Error| format!("{}: {e}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default();
        if name != "requirements.txt" {
            fs::copy(&path, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The notebooks of a folder, each of which becomes a page with what is stored in it.
fn notebooks(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "ipynb")).collect())
}

fn write(file: &Path, text: &str) -> Result {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}
