//! Where an app's store and sockets are.
//!
//! Both directories belong to the user alone: they are made with mode 0700, and one that is a
//! link, is somebody else's or lets others in is refused rather than used, because whoever can
//! write there can start the app's tasks. Base directories are those of the
//! [XDG specification](https://specifications.freedesktop.org/basedir-spec/latest/).

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use crate::{Code, Error, Result};

/// The longest path of a socket on Linux, without its final zero
/// (<https://man7.org/linux/man-pages/man7/unix.7.html>).
const LONGEST_SOCKET: usize = 107;
/// Room for `/` and a socket's file name.
const SOCKET_NAME: usize = 10;

/// What directories are derived from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env {
    /// `BGTASK_STATE_DIR`: holds a directory per app.
    pub(crate) bgtask_state_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub(crate) xdg_state_home: Option<PathBuf>,
    /// `BGTASK_CONFIG_DIR`: holds a file per app.
    pub(crate) bgtask_config_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub(crate) xdg_config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub(crate) xdg_runtime_dir: Option<PathBuf>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `TMPDIR`.
    pub(crate) tmpdir: Option<PathBuf>,
    /// The user this process acts as.
    pub(crate) uid: u32,
}

impl Env {
    /// That of this process. As the XDG specification says, a variable that is empty or a relative
    /// path is no path.
    pub(crate) fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).and_then(absolute);
        Self {
            bgtask_state_dir: path("BGTASK_STATE_DIR"),
            xdg_state_home: path("XDG_STATE_HOME"),
            bgtask_config_dir: path("BGTASK_CONFIG_DIR"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            home: path("HOME"),
            tmpdir: path("TMPDIR"),
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// The directory that holds one directory per app. Nothing is made.
    pub(crate) fn state_base(&self) -> Result<PathBuf> {
        let (root, levels) = self.state_root()?;
        Ok(levels.iter().fold(root, |path, level| path.join(level)))
    }

    fn state_root(&self) -> Result<(PathBuf, &'static [&'static str])> {
        if let Some(dir) = &self.bgtask_state_dir {
            return Ok((dir.clone(), &[]));
        }
        if let Some(dir) = &self.xdg_state_home {
            return Ok((dir.clone(), &["bgtask"]));
        }
        if let Some(dir) = &self.home {
            return Ok((dir.join(".local/state"), &["bgtask"]));
        }
        Err(Error::new(
            Code::NoStateDirectory,
            "there is no directory to keep the store in: HOME is not set to an absolute path",
        )
        .remedy("set HOME, XDG_STATE_HOME or BGTASK_STATE_DIR"))
    }

    /// Where the app's store is. Nothing is made.
    pub(crate) fn state_dir(&self, app: &str) -> Result<PathBuf> {
        check_app_id(app)?;
        Ok(self.state_base()?.join(app))
    }

    /// The directory of what users write for apps: `$BGTASK_CONFIG_DIR`, `$XDG_CONFIG_HOME/bgtask`
    /// or `~/.config/bgtask`. `None`: there is no home. Nothing is made.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        let xdg = || self.xdg_config_home.clone();
        let home = || Some(self.home.as_ref()?.join(".config"));
        let given = self.bgtask_config_dir.clone();
        given.or_else(|| Some(xdg().or_else(home)?.join("bgtask")))
    }

    /// The user's home; `None`: there is none.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Makes and checks the directory of the app's store.
    pub(crate) fn make_state_dir(&self, app: &str) -> Result<PathBuf> {
        check_app_id(app)?;
        let (root, levels) = self.state_root()?;
        let levels = levels.iter().copied().chain([app]);
        make_private(&root, levels, self.uid)
    }

    /// Makes and checks a directory that the program itself named.
    pub(crate) fn make_given_dir(&self, dir: &Path) -> Result<PathBuf> {
        let (Some(parent), Some(name)) = (dir.parent(), dir.file_name().and_then(OsStr::to_str))
        else {
            return Err(unusable(dir, "has no name"));
        };
        make_private(parent, [name].into_iter(), self.uid)
    }

    /// Where the app's sockets are: short enough for the path of a socket. Nothing is made.
    pub(crate) fn runtime_dir(&self, app: &str) -> Result<PathBuf> {
        let (root, levels) = self.runtime_root(app)?;
        Ok(levels.iter().fold(root, |path, level| path.join(level)))
    }

    /// Makes and checks the directory of the app's sockets.
    pub(crate) fn make_runtime_dir(&self, app: &str) -> Result<PathBuf> {
        let (root, levels) = self.runtime_root(app)?;
        make_private(&root, levels.iter().map(String::as_str), self.uid)
    }

    fn runtime_root(&self, app: &str) -> Result<(PathBuf, [String; 2])> {
        check_app_id(app)?;
        let fits = |root: &Path, levels: &[String; 2]| {
            let levels: usize = levels.iter().map(|level| level.len() + 1).sum();
            root.as_os_str().as_bytes().len() + levels + SOCKET_NAME <= LONGEST_SOCKET
        };
        let own = [format!("bgtask-{}", self.uid), app.to_owned()];
        let candidates = [
            self.xdg_runtime_dir
                .clone()
                .map(|root| (root, ["bgtask".to_owned(), app.to_owned()])),
            self.tmpdir.clone().map(|root| (root, own.clone())),
            Some((PathBuf::from("/tmp"), own)),
        ];
        // Preference, then length: a long TMPDIR says nothing where there is a runtime directory.
        let fitting = candidates
            .into_iter()
            .flatten()
            .find(|(root, levels)| fits(root, levels));
        Ok(fitting.unwrap_or_else(|| {
            let short = format!("{}-{:016x}", &app[..24.min(app.len())], fnv1a(app));
            let levels = [format!("bgtask-{}", self.uid), short];
            (PathBuf::from("/tmp"), levels)
        }))
    }

    /// The ids of the apps that have a store, or a socket only, sorted.
    pub(crate) fn apps(&self) -> Result<Vec<String>> {
        let mut apps = app_dirs(&self.state_base()?)?;
        if let Some(root) = &self.xdg_runtime_dir {
            let base = root.join("bgtask");
            // A directory that cannot be listed has no socket that could be connected to.
            let with_socket = app_dirs(&base).unwrap_or_default().into_iter();
            apps.extend(with_socket.filter(|app| base.join(app).join("ctl.sock").exists()));
        }
        apps.sort();
        apps.dedup();
        Ok(apps)
    }
}

fn app_dirs(base: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(base) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(base, "cannot be listed").source(error)),
    };
    let dirs = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = dirs.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| check_app_id(name).is_ok()).collect())
}

fn absolute(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

/// App ids name directories, so they are 1 to 100 letters, digits, `.`, `-` and `_` of ASCII, and
/// start with a letter or a digit. `access` is none: its overrides would be in the file of the
/// policy of access.
///
/// # Errors
///
/// [`Code::InvalidDeclaration`].
pub(crate) fn check_app_id(app: &str) -> Result<()> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let starts = app
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if app == "access" {
        return Err(Error::new(
            Code::InvalidDeclaration,
            "`access` cannot be an app's id: `access.toml` is the policy of access",
        )
        .remedy("use another one, such as `com.example.access`"));
    }
    if starts && app.len() <= 100 && app.bytes().all(known) {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidDeclaration,
        format!("{app:?} cannot be an app's id"),
    )
    .remedy("use 1 to 100 letters, digits, `.`, `-` and `_`, a letter or a digit first"))
}

/// A name for a long id; [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) stays
/// the same over versions, which the standard library's hash does not promise.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Makes `levels` below `root`, each of them private. `root` itself is the user's choice: it is
/// made where it is missing and otherwise taken as it is.
fn make_private<'a>(
    root: &Path,
    levels: impl Iterator<Item = &'a str>,
    uid: u32,
) -> Result<PathBuf> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(|error| unusable(root, "cannot be made").source(error))?;
    let mut path = root.to_owned();
    for level in levels {
        path.push(level);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(&path, "cannot be made").source(error)),
        }
        check_private(&path, uid)?;
    }
    Ok(path)
}

/// Refuses a directory that another user could have prepared or can read.
///
/// # Errors
///
/// [`Code::Directory`].
pub(crate) fn check_private(path: &Path, uid: u32) -> Result<()> {
    // Not following links: where a link leads may change after the check.
    let metadata = fs::symlink_metadata(path)
        .map_err(|error| unusable(path, "cannot be looked at").source(error))?;
    if metadata.is_symlink() {
        return Err(unusable(path, "is a symbolic link").remedy("remove it, or name another place"));
    }
    if !metadata.is_dir() {
        return Err(unusable(path, "is not a directory").remedy("move it away"));
    }
    if metadata.uid() != uid {
        return Err(unusable(
            path,
            &format!("belongs to user {} and not to user {uid}", metadata.uid()),
        )
        .remedy("remove it, or run as its owner"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(
            unusable(path, &format!("can be entered by others (mode {mode:03o})"))
                .remedy(format!("chmod 700 {}", path.display())),
        );
    }
    Ok(())
}

fn unusable(path: &Path, what: &str) -> Error {
    Error::new(
        Code::Directory,
        format!("the directory `{}` {what}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn env(root: &Path) -> Env {
        Env {
            home: Some(root.to_owned()),
            uid: rustix::process::geteuid().as_raw(),
            ..Env::default()
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let mut env = env(Path::new("/h/u"));
        env.uid = 7;
        let state = |env: &Env| env.state_dir("app").unwrap().display().to_string();
        let runtime = |env: &Env| env.runtime_dir("app").unwrap().display().to_string();
        assert_eq!(state(&env), "/h/u/.local/state/bgtask/app");
        assert_eq!(runtime(&env), "/tmp/bgtask-7/app");
        env.tmpdir = Some("/var/tmp".into());
        assert_eq!(runtime(&env), "/var/tmp/bgtask-7/app");
        env.xdg_runtime_dir = Some("/run/user/7".into());
        assert_eq!(runtime(&env), "/run/user/7/bgtask/app");
        env.xdg_state_home = Some("/state".into());
        assert_eq!(state(&env), "/state/bgtask/app");
        env.bgtask_state_dir = Some("/own".into());
        assert_eq!(state(&env), "/own/app");
    }

    #[test]
    fn what_users_write_is_where_configuration_is() {
        let dir = |text: &str| Some(PathBuf::from(text));
        let mut env = Env {
            home: dir("/users/ada"),
            ..Env::default()
        };
        assert_eq!(env.config_dir(), dir("/users/ada/.config/bgtask"));
        env.xdg_config_home = dir("/xdg");
        assert_eq!(env.config_dir(), dir("/xdg/bgtask"));
        env.bgtask_config_dir = dir("/own");
        assert_eq!(env.config_dir(), dir("/own"));
        assert_eq!(Env::default().config_dir(), None);
    }

    #[test]
    fn without_a_home_the_remedy_is_told() {
        let error = Env::default().state_dir("app").unwrap_err();
        assert_eq!(error.code(), Code::NoStateDirectory);
        assert!(error.help().unwrap().contains("BGTASK_STATE_DIR"));
        assert_eq!(absolute("".into()), None);
        assert_eq!(absolute("relative/path".into()), None);
    }

    #[test]
    fn app_ids_cannot_lead_elsewhere() {
        let longest = "a".repeat(100);
        for good in [
            "a",
            "com.example.mail",
            "my-app_2",
            "7",
            "access2",
            &longest,
        ] {
            check_app_id(good).unwrap();
        }
        let longer = "a".repeat(101);
        for bad in [
            "", ".", "..", ".hidden", "-x", "a/b", "../a", "a b", "größe", "a\0", "a\n", "access",
            &longer,
        ] {
            let error = check_app_id(bad).unwrap_err();
            assert_eq!(error.code(), Code::InvalidDeclaration, "{bad:?}");
            assert!(env(Path::new("/x")).make_state_dir(bad).is_err());
            assert!(env(Path::new("/x")).runtime_dir(bad).is_err());
        }
    }

    #[test]
    fn directories_are_made_private_and_made_once() {
        let root = tempfile::tempdir().unwrap();
        let mut env = env(root.path());
        env.xdg_runtime_dir = Some(root.path().join("run"));
        let state = env.make_state_dir("app").unwrap();
        assert_eq!(state, env.make_state_dir("app").unwrap());
        let runtime = env.make_runtime_dir("app").unwrap();
        for dir in [&state, &runtime] {
            assert_eq!(mode(dir), 0o700);
            assert_eq!(mode(dir.parent().unwrap()), 0o700);
        }
        env.make_state_dir("another").unwrap();
        fs::create_dir(env.state_base().unwrap().join(".not-an-id")).unwrap();
        fs::write(env.state_base().unwrap().join("file"), "").unwrap();
        // An app that keeps nothing has a socket only; a directory alone is no app.
        let running = env.make_runtime_dir("running").unwrap();
        fs::write(running.join("ctl.sock"), "").unwrap();
        env.make_runtime_dir("left-behind").unwrap();
        assert_eq!(env.apps().unwrap(), ["another", "app", "running"]);
    }

    #[test]
    fn no_apps_are_no_error() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(env(root.path()).apps().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_others_could_use_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let env = env(root.path());
        let refused = |what: &str| {
            let error = env.make_state_dir("app").unwrap_err();
            assert_eq!(error.code(), Code::Directory);
            assert!(error.to_string().contains(what), "{error}");
        };
        let dir = env.make_state_dir("app").unwrap();
        for mode in [0o755, 0o710, 0o702] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            refused("chmod 700");
        }
        fs::remove_dir(&dir).unwrap();
        symlink(root.path(), &dir).unwrap();
        refused("symbolic link");
        fs::remove_file(&dir).unwrap();
        fs::write(&dir, "").unwrap();
        refused("not a directory");
        fs::remove_file(&dir).unwrap();
        env.make_state_dir("app").unwrap();
        let error = check_private(&dir, env.uid + 1).unwrap_err();
        assert!(error.to_string().contains("belongs to user"), "{error}");
        // A level above that others can write to would let them put another one in its place.
        let parent = dir.parent().unwrap();
        fs::set_permissions(parent, fs::Permissions::from_mode(0o777)).unwrap();
        refused("mode 777");
    }

    #[test]
    fn every_socket_path_fits() {
        let long = PathBuf::from(format!("/{}", "x".repeat(90)));
        let mut env = env(Path::new("/h/u"));
        env.uid = u32::MAX;
        let app = "a".repeat(100);
        let twin = format!("{}b", "a".repeat(99));
        for roots in [
            (None, None),
            (Some(&long), None),
            (Some(&long), Some(&long)),
        ] {
            env.xdg_runtime_dir = roots.0.cloned();
            env.tmpdir = roots.1.cloned();
            for app in ["app", &app, &twin] {
                let socket = env.runtime_dir(app).unwrap().join("ctl.sock");
                assert!(socket.as_os_str().len() <= LONGEST_SOCKET, "{socket:?}");
            }
            assert_ne!(
                env.runtime_dir(&app).unwrap(),
                env.runtime_dir(&twin).unwrap()
            );
        }
        assert_eq!(
            env.runtime_dir("app").unwrap(),
            Path::new("/tmp/bgtask-4294967295/app")
        );
    }
}
