//! NVIDIA's libraries, found while the program runs: it is built where there are none, and starts where there are none.
//!
//! They are opened by `libloading` with the few functions of each that are needed declared here, rather than by bindings for all of
//! CUDA: those choose the files themselves, by names that the wheels for Python do not have, and panic where one is missing.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::base::{Error, Result};

/// A library of NVIDIA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NvidiaLibrary {
    /// What speaks to the GPU.
    Driver,
    /// What compiles kernels.
    Nvrtc,
    /// Products of matrices.
    CublasLt,
    /// Convolutions.
    Cudnn,
    /// What several GPUs add up together.
    Nccl,
}

impl NvidiaLibrary {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Driver, Self::Nvrtc, Self::CublasLt, Self::Cudnn, Self::Nccl];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            NvidiaLibrary::Driver => "driver",
            NvidiaLibrary::Nvrtc => "NVRTC",
            NvidiaLibrary::CublasLt => "cuBLASLt",
            NvidiaLibrary::Cudnn => "cuDNN",
            NvidiaLibrary::Nccl => "NCCL",
        }
    }

    /// The file that it comes as.
    pub fn file(self) -> &'static str {
        match self {
            NvidiaLibrary::Driver => "libcuda.so.1",
            NvidiaLibrary::Nvrtc => "libnvrtc.so.13",
            NvidiaLibrary::CublasLt => "libcublasLt.so.13",
            NvidiaLibrary::Cudnn => "libcudnn.so.9",
            NvidiaLibrary::Nccl => "libnccl.so.2",
        }
    }

    /// How the names of other files begin that it opens by name, wherever it stands itself.
    fn companions(self) -> Option<&'static str> {
        (self == NvidiaLibrary::Nvrtc).then_some("libnvrtc-builtins.so")
    }

    /// How to get it.
    pub fn remedy(self) -> &'static str {
        match self {
            NvidiaLibrary::Driver => "install NVIDIA's driver, version 580 or newer",
            NvidiaLibrary::Nvrtc => "pip install nvidia-cuda-nvrtc, or set CUDA_HOME to a CUDA 13",
            NvidiaLibrary::CublasLt => "pip install nvidia-cublas, or set CUDA_HOME to a CUDA 13",
            NvidiaLibrary::Cudnn => "pip install nvidia-cudnn-cu13",
            NvidiaLibrary::Nccl => "pip install nvidia-nccl-cu13",
        }
    }
}

/// Folders in which libraries are looked for, before the system's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    folders: Vec<PathBuf>,
}

/// A library that was found.
pub struct Found {
    /// The file, or its name alone where the system knows where it is.
    pub path: PathBuf,
    /// The library, and before it those that it opens by name: what is open already is found under its name.
    pub(super) libraries: Vec<libloading::Library>,
}

impl Search {
    /// Where the environment says: `$CUDA_HOME` and `$CUDA_PATH`; the wheels of the Python environment that is active
    /// (`$VIRTUAL_ENV`, `$CONDA_PREFIX`), of the first `python3` in `$PATH`, and of the person.
    pub fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(path);
        let toolkits = toolkits.flat_map(|home| ["lib64", "lib"].map(|folder| home.join(folder)));
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(path);
        let first = variable("PATH").and_then(|path| std::env::split_paths(&path).find_map(|folder| prefix_of_python(&folder)));
        let own = path("HOME").map(|home| home.join(".local"));
        let wheels = active.chain(first).chain(own).flat_map(|prefix| wheels(&prefix));
        let mut folders = vec![];
        for folder in toolkits.chain(wheels) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        Search { folders }
    }

    /// The folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Opens a library: the first of its file in these folders, or the one that the system knows.
    ///
    /// # Errors
    /// [`Error::Library`], with everything that was looked at, where none can be opened.
    pub fn find(&self, library: NvidiaLibrary) -> Result<Found> {
        let mut problems = vec![];
        let present = self.folders.iter().map(|folder| folder.join(library.file())).filter(|path| path.is_file());
        for path in present.chain([PathBuf::from(library.file())]) {
            let folder = path.parent().map(entries).unwrap_or_default();
            let companion = |path: &&PathBuf| library.companions().is_some_and(|begins| name(path).starts_with(begins));
            // One that cannot be opened is missed by the library itself, which says so better.
            let mut libraries: Vec<_> = folder.iter().filter(companion).filter_map(|path| open(path).ok()).collect();
            match open(&path) {
                Ok(library) => {
                    libraries.push(library);
                    return Ok(Found { path, libraries });
                }
                // The reason stands in the cause.
                Err(error) => problems.push(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
            }
        }
        let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let searched = if folders.is_empty() { String::new() } else { format!("{}, and ", folders.join(", ")) };
        Err(Error::Library {
            library: format!("{} ({})", library.file(), library.name()),
            problem: format!("searched: {searched}the system's libraries ({})", problems.join("; ")),
            remedy: library.remedy().to_string(),
        })
    }
}

fn open(path: &Path) -> std::result::Result<libloading::Library, libloading::Error> {
    // SAFETY: what NVIDIA's libraries do when they are opened, which is to prepare themselves, is sound; a file that another puts
    // under their name is as trusted as the environment that names its folder.
    unsafe { libloading::Library::new(path) }
}

/// The prefix of the Python that stands in this folder of `$PATH`.
fn prefix_of_python(folder: &Path) -> Option<PathBuf> {
    let python = folder.join("python3");
    // Not resolved: the link of a virtual environment leads out of it.
    python.is_file().then(|| folder.parent().map(Path::to_path_buf)).flatten()
}

/// The folders of NVIDIA's wheels under the prefix of a Python: `lib/python3.x/site-packages/nvidia/*/lib`, in alphabetical order.
fn wheels(prefix: &Path) -> Vec<PathBuf> {
    let lib = prefix.join("lib");
    let pythons = entries(&lib).into_iter().filter(|path| name(path).starts_with("python3"));
    let packages =
        pythons.flat_map(|python| ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("nvidia")));
    packages.flat_map(|nvidia| entries(&nvidia)).map(|package| package.join("lib")).filter(|folder| folder.is_dir()).collect()
}

/// What is in a folder, in alphabetical order; nothing where there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Declares a struct of a library's functions, and how it is made of a library that has all of them.
macro_rules! functions {
    ($(#[$doc:meta])* $name:ident { $(fn $function:ident($($argument:ident: $type:ty),*) -> i32;)* }) => {
        $(#[$doc])*
        #[allow(non_snake_case, reason = "the names that the library gives them")]
        struct $name {
            $($function: unsafe extern "C" fn($($argument: $type),*) -> i32,)*
            /// What the functions are part of, and what that needs, so that they outlive them.
            _libraries: Vec<libloading::Library>,
        }

        impl $name {
            /// Looks all of them up.
            ///
            /// # Errors
            /// [`Error::Library`] for one that the library lacks.
            fn load(found: $crate::compute::cuda::libraries::Found) -> $crate::base::Result<Self> {
                let $crate::compute::cuda::libraries::Found { path, libraries } = found;
                // `find` puts it last.
                let library = libraries.last().expect("a library that was found is open");
                Ok($name {
                    $($function: {
                        let symbol = concat!(stringify!($function), "\0");
                        // SAFETY: the library declares this function so.
                        match unsafe { library.get::<unsafe extern "C" fn($($argument: $type),*) -> i32>(symbol.as_bytes()) } {
                            Ok(function) => *function,
                            Err(_) => {
                                return Err($crate::base::Error::Library {
                                    library: path.display().to_string(),
                                    problem: format!("it has no function {}", stringify!($function)),
                                    remedy: "install a newer version of it".to_string(),
                                });
                            }
                        }
                    },)*
                    _libraries: libraries,
                })
            }
        }
    };
}
pub(super) use functions;

#[cfg(test)]
mod tests {
    use super::*;

    fn search(variables: &[(&str, &Path)]) -> Search {
        Search::of_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.as_os_str().to_owned())
        })
    }

    fn make(folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        folder.to_path_buf()
    }

    #[test]
    fn toolkits_come_before_wheels_and_the_active_environment_before_others() {
        let root = tempfile::tempdir().unwrap();
        let [cuda, active, other] = ["cuda", "active", "other"].map(|name| root.path().join(name));
        let packages = "lib/python3.12/site-packages/nvidia";
        let expected = [
            cuda.join("lib64"),
            cuda.join("lib"),
            make(&active.join(packages).join("cu13/lib")),
            make(&active.join(packages).join("cudnn/lib")),
            make(&other.join("lib/python3.11/dist-packages/nvidia/nccl/lib")),
        ];
        make(&active.join(packages).join("without_libraries"));
        make(&other.join("bin"));
        std::fs::write(other.join("bin/python3"), "").unwrap();
        let found =
            search(&[("CUDA_HOME", &cuda), ("VIRTUAL_ENV", &active), ("PATH", &other.join("bin")), ("CONDA_PREFIX", &active)]);
        assert_eq!(found.folders(), expected);
        assert_eq!(search(&[("HOME", root.path())]).folders(), [] as [PathBuf; 0]);
    }

    #[test]
    fn what_was_searched_and_what_to_do_is_said() {
        let root = tempfile::tempdir().unwrap();
        let lib = make(&root.path().join("lib"));
        std::fs::write(lib.join("libnccl.so.2"), "no library").unwrap();
        let error = search(&[("CUDA_HOME", root.path())]).find(NvidiaLibrary::Nccl).err().map(|error| error.to_string()).unwrap();
        let [folder, file] = [&lib, &lib.join("libnccl.so.2")].map(|path| path.display().to_string());
        for part in ["libnccl.so.2 (NCCL)", &folder, &file, "the system's libraries", "pip install nvidia-nccl-cu13"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}
