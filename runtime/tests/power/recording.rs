//! What a program did to its files, as `strace` saw it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, victim};

/// One step of the victim, in order.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A file in its directory.
    File(PathBuf, Change),
    Directory(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// A line on its standard output.
    Said(String),
}

/// What happens to a file.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create,
    Write { at: u64, data: Vec<u8> },
    Length(u64),
    Sync,
}

/// What may change a file, and where in it the next write goes.
const CALLS: &str = "trace=openat,close,dup,dup2,dup3,fcntl,lseek,write,writev,pwrite64,pwritev,\
                     pwritev2,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,\
                     unlink,unlinkat,mkdir,mkdirat,msync,sync_file_range";

/// Runs the victim in `directory`, which must not be below a symbolic link.
pub(crate) fn record(directory: &Path) -> Result<Vec<Step>> {
    let log = directory.join("strace.log");
    let home = directory.join("home");
    fs::create_dir(&home)?;
    let status = Command::new("strace")
        .args(["-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"])
        .arg(&log)
        .arg(std::env::current_exe()?)
        .env(victim::DIRECTORY, &home)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("`strace` cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("the recorded victim ended with {status}").into());
    }
    let mut reader = Reader {
        home,
        ..Reader::default()
    };
    for line in fs::read_to_string(&log)?.lines() {
        reader.line(line)?;
    }
    Ok(reader.steps)
}

/// Reads the log line by line.
#[derive(Debug, Default)]
struct Reader {
    home: PathBuf,
    steps: Vec<Step>,
    /// The first halves of calls that other threads interrupted.
    unfinished: HashMap<String, String>,
    /// Where a file's next write goes.
    places: HashMap<u64, u64>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<()> {
        let (thread, call) = line.split_once(' ').ok_or("no thread")?;
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread.to_owned(), first.to_owned());
            return Ok(());
        }
        let whole;
        let call = match call.strip_prefix("<... ") {
            Some(rest) => {
                let second = rest.split_once(" resumed>").ok_or("not resumed")?.1;
                let first = self.unfinished.remove(thread).ok_or("never begun")?;
                whole = first + second;
                &whole
            }
            None => call,
        };
        // What ends with no result is a signal, the end of a thread, or a call cut by either.
        let Some((call, result)) = call.rsplit_once(" = ") else {
            return Ok(());
        };
        let Some((name, arguments)) = call.split_once('(') else {
            return Ok(());
        };
        let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
        let digits: String = result.chars().take_while(char::is_ascii_digit).collect();
        // A failed call changes nothing.
        match digits.parse() {
            Ok(number) => self.call(name, arguments, result, number),
            Err(_) => Ok(()),
        }
    }

    fn call(&mut self, name: &str, arguments: &str, result: &str, number: u64) -> Result<()> {
        let texts = texts(arguments);
        match name {
            "openat" => {
                self.places.insert(number, 0);
                if let Some(path) = self.ours(&in_brackets(result)) {
                    if arguments.contains("O_APPEND") {
                        return Err(format!("{} is appended to", path.display()).into());
                    }
                    if arguments.contains("O_CREAT") {
                        self.file(&path, Change::Create);
                    }
                    if arguments.contains("O_TRUNC") {
                        self.file(&path, Change::Length(0));
                    }
                }
                return Ok(());
            }
            "mkdir" | "mkdirat" => {
                if let Some(path) = texts.first().and_then(|path| self.ours(path)) {
                    self.steps.push(Step::Directory(path));
                }
                return Ok(());
            }
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = &texts[..]
                    && let (Some(from), Some(to)) = (self.ours(from), self.ours(to))
                {
                    self.steps.push(Step::Rename(from, to));
                }
                return Ok(());
            }
            "unlink" | "unlinkat" => {
                if let Some(path) = texts.first().and_then(|path| self.ours(path)) {
                    self.steps.push(Step::Remove(path));
                }
                return Ok(());
            }
            _ => {}
        }
        let (descriptor, rest) = arguments.split_once('<').ok_or("no descriptor")?;
        let descriptor: u64 = descriptor.trim().parse()?;
        if descriptor == 1 && name == "write" {
            let said = String::from_utf8(texts.concat())?;
            let lines = said.lines().map(|line| Step::Said(line.to_owned()));
            self.steps.extend(lines);
            return Ok(());
        }
        let Some(path) = self.ours(&in_brackets(arguments)) else {
            return Ok(());
        };
        let last = |text: &str| text.rsplit(", ").next().unwrap_or(text).parse::<u64>();
        match name {
            "close" | "fcntl" => {}
            "lseek" => {
                self.places.insert(descriptor, number);
            }
            "write" => {
                let at = *self.places.get(&descriptor).ok_or("never opened")?;
                self.places.insert(descriptor, at + number);
                self.write(&path, at, texts.concat(), number);
            }
            "pwrite64" => self.write(&path, last(rest)?, texts.concat(), number),
            "ftruncate" => self.file(&path, Change::Length(last(rest)?)),
            "fsync" | "fdatasync" => self.file(&path, Change::Sync),
            other => return Err(format!("`{other}` on {} is not known", path.display()).into()),
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, at: u64, mut data: Vec<u8>, written: u64) {
        data.truncate(usize::try_from(written).unwrap_or(usize::MAX));
        self.file(path, Change::Write { at, data });
    }

    fn file(&mut self, path: &Path, change: Change) {
        self.steps.push(Step::File(path.to_owned(), change));
    }

    /// The path in the victim's directory.
    fn ours(&self, path: &[u8]) -> Option<PathBuf> {
        let path = PathBuf::from(std::str::from_utf8(path).ok()?);
        Some(path.strip_prefix(&self.home).ok()?.to_owned())
    }
}

/// The bytes of a text in which each is written as `\x2f`.
fn bytes(hexadecimal: &str) -> Vec<u8> {
    hexadecimal
        .split("\\x")
        .filter_map(|digits| u8::from_str_radix(digits, 16).ok())
        .collect()
}

/// What stands in quotes.
fn texts(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(bytes).collect()
}

/// The path of a descriptor.
fn in_brackets(text: &str) -> Vec<u8> {
    let inner = text
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(inner, _)| bytes(inner)).unwrap_or_default()
}
