//! NVRTC, which compiles the kernels for the GPU at hand.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use crate::base::{Error, Result};

use super::libraries::functions;
use super::{NvidiaLibrary, Precision, Search, source};

functions! {
    /// NVRTC.
    Nvrtc {
        fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> i32;
        fn nvrtcCreateProgram(
            program: *mut *mut c_void,
            source: *const c_char,
            name: *const c_char,
            headers: c_int,
            texts: *const *const c_char,
            names: *const *const c_char
        ) -> i32;
        fn nvrtcCompileProgram(program: *mut c_void, count: c_int, options: *const *const c_char) -> i32;
        fn nvrtcGetProgramLogSize(program: *mut c_void, bytes: *mut usize) -> i32;
        fn nvrtcGetProgramLog(program: *mut c_void, log: *mut c_char) -> i32;
        fn nvrtcGetCUBINSize(program: *mut c_void, bytes: *mut usize) -> i32;
        fn nvrtcGetCUBIN(program: *mut c_void, cubin: *mut c_char) -> i32;
        fn nvrtcDestroyProgram(program: *mut *mut c_void) -> i32;
    }
}

/// What compiles the kernels.
pub struct Compiler {
    nvrtc: Nvrtc,
    version: (i32, i32),
}

impl Compiler {
    /// Finds NVRTC.
    ///
    /// # Errors
    /// [`Error::Library`]
    pub fn find(search: &Search) -> Result<Self> {
        let nvrtc = Nvrtc::load(search.find(NvidiaLibrary::Nvrtc)?)?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both are numbers to be written.
        let status = unsafe { (nvrtc.nvrtcVersion)(&raw mut major, &raw mut minor) };
        done(status, "nvrtcVersion")?;
        Ok(Compiler { nvrtc, version: (major, minor) })
    }

    /// Its version.
    pub fn version(&self) -> (i32, i32) {
        self.version
    }

    /// The kernels as machine code for GPUs of this compute capability, such as (9, 0).
    ///
    /// # Errors
    /// [`Error::Library`] with the compiler's messages, for an architecture that it does not know among others.
    pub fn compile(&self, precision: Precision, (major, minor): (u32, u32)) -> Result<Vec<u8>> {
        let [real, narrow] = precision.definitions();
        let architecture = format!("--gpu-architecture=sm_{major}{minor}");
        // Without contraction, and with the rounding of IEEE 754, which is the default: the bits of the CPU.
        let options = [&architecture, real, narrow, "--fmad=false", "--std=c++17"].map(text);
        let program = Program::new(&self.nvrtc, &text(source()))?;
        let pointers = options.each_ref().map(|option| option.as_ptr());
        // SAFETY: the program is not destroyed yet, and the options are alive.
        let status = unsafe { (self.nvrtc.nvrtcCompileProgram)(program.handle, pointers.len() as c_int, pointers.as_ptr()) };
        if status != 0 {
            return Err(Error::Library {
                library: format!("NVRTC {}.{}", self.version.0, self.version.1),
                problem: format!("the kernels do not compile for compute capability {major}.{minor}:\n{}", program.log()?),
                remedy: "if the GPU is of a kind that this NVRTC does not know, install a newer one".to_string(),
            });
        }
        program.cubin()
    }
}

/// A source while it is compiled.
struct Program<'a> {
    nvrtc: &'a Nvrtc,
    handle: *mut c_void,
}

impl<'a> Program<'a> {
    fn new(nvrtc: &'a Nvrtc, source: &CStr) -> Result<Self> {
        let mut handle = ptr::null_mut();
        let name = c"kernels.cu";
        // SAFETY: source and name are texts that end with a 0, and there are no headers.
        let status =
            unsafe { (nvrtc.nvrtcCreateProgram)(&raw mut handle, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null()) };
        done(status, "nvrtcCreateProgram")?;
        Ok(Program { nvrtc, handle })
    }

    fn log(&self) -> Result<String> {
        let bytes = self.bytes(self.nvrtc.nvrtcGetProgramLogSize, self.nvrtc.nvrtcGetProgramLog, "nvrtcGetProgramLog")?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_string())
    }

    fn cubin(&self) -> Result<Vec<u8>> {
        self.bytes(self.nvrtc.nvrtcGetCUBINSize, self.nvrtc.nvrtcGetCUBIN, "nvrtcGetCUBIN")
    }

    fn bytes(
        &self,
        size: unsafe extern "C" fn(*mut c_void, *mut usize) -> i32,
        write: unsafe extern "C" fn(*mut c_void, *mut c_char) -> i32,
        what: &str,
    ) -> Result<Vec<u8>> {
        let mut n = 0;
        // SAFETY: the program is not destroyed yet.
        done(unsafe { size(self.handle, &raw mut n) }, what)?;
        let mut bytes = vec![0u8; n];
        // SAFETY: there is room for as many bytes as it has said.
        done(unsafe { write(self.handle, bytes.as_mut_ptr().cast()) }, what)?;
        Ok(bytes)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // SAFETY: it is destroyed once, and nobody has its handle any more. What it may report changes nothing.
        unsafe { (self.nvrtc.nvrtcDestroyProgram)(&raw mut self.handle) };
    }
}

fn done(status: i32, function: &str) -> Result<()> {
    match status {
        0 => Ok(()),
        status => Err(Error::Library {
            library: "NVRTC".to_string(),
            problem: format!("{function} failed with status {status}"),
            remedy: "see the meaning of nvrtcResult in its documentation".to_string(),
        }),
    }
}

/// A text for C.
fn text(text: impl AsRef<str>) -> CString {
    CString::new(text.as_ref()).expect("sources and options have no character 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Named;

    /// An ELF file of machine code for every precision and two generations of GPUs, on any machine that has NVRTC.
    #[test]
    fn every_kernel_compiles() {
        let compiler = match Compiler::find(&Search::of_environment(|name| std::env::var_os(name))) {
            Ok(compiler) => compiler,
            Err(error) => return println!("SKIPPED: {error}"),
        };
        // TF32 is f32 to the kernels.
        for (name, precision) in Precision::ALL.iter().filter(|(_, precision)| *precision != Precision::Tf32) {
            for capability in [(8, 0), (9, 0)] {
                let cubin = compiler.compile(*precision, capability).unwrap();
                assert!(cubin.starts_with(b"\x7fELF"), "{name}, {capability:?}");
                for kernel in ["dyad", "unpool", "nudge_proximal", "adam"] {
                    assert!(cubin.windows(kernel.len()).any(|window| window == kernel.as_bytes()), "{kernel} in {name}");
                }
            }
        }
        let error = compiler.compile(Precision::F32, (1, 0)).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("compute capability 1.0") && error.contains("newer"), "{error}");
    }
}
