//! NVIDIA's driver: which GPUs there are.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::base::{Error, Result};

use super::libraries::functions;
use super::{NvidiaLibrary, Search};

functions! {
    /// The driver.
    Functions {
        fn cuInit(flags: u32) -> i32;
        fn cuDriverGetVersion(version: *mut c_int) -> i32;
        fn cuGetErrorString(status: c_int, text: *mut *const c_char) -> i32;
        fn cuDeviceGetCount(count: *mut c_int) -> i32;
        fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> i32;
        fn cuDeviceGetName(name: *mut c_char, bytes: c_int, device: c_int) -> i32;
        fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) -> i32;
        fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> i32;
    }
}

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and the minor one.
const CAPABILITY: [c_int; 2] = [75, 76];

/// The version of CUDA that a driver must be for, as it counts: libraries of CUDA 13 do not work with older ones.
const OLDEST: c_int = 13_000;

/// NVIDIA's driver.
pub struct Driver {
    functions: Functions,
    version: c_int,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As NVIDIA calls it.
    pub name: String,
    /// Bytes of its memory.
    pub memory: u64,
    /// Its compute capability, such as (9, 0).
    pub capability: (u32, u32),
}

impl Driver {
    /// Finds the driver and starts it.
    ///
    /// # Errors
    /// [`Error::Library`] where there is none, where it is too old, and where it does not start, as on a machine without a GPU.
    pub fn find(search: &Search) -> Result<Self> {
        let functions = Functions::load(search.find(NvidiaLibrary::Driver)?)?;
        let mut driver = Driver { functions, version: 0 };
        let mut version = 0;
        // SAFETY: it is a number to be written.
        driver.check(unsafe { (driver.functions.cuDriverGetVersion)(&raw mut version) }, "cuDriverGetVersion")?;
        if version < OLDEST {
            let problem = format!("it is for CUDA {}.{}, expected 13.0 or newer", version / 1000, version % 1000 / 10);
            return Err(driver.failure(problem, NvidiaLibrary::Driver.remedy()));
        }
        driver.version = version;
        // SAFETY: it takes 0 and nothing else.
        driver.check(unsafe { (driver.functions.cuInit)(0) }, "cuInit")?;
        Ok(driver)
    }

    /// The newest CUDA that it is for, (major, minor).
    pub fn version(&self) -> (i32, i32) {
        (self.version / 1000, self.version % 1000 / 10)
    }

    /// All GPUs, in the driver's order, which `$CUDA_VISIBLE_DEVICES` changes.
    ///
    /// # Errors
    /// [`Error::Library`] with what the driver reports.
    pub fn gpus(&self) -> Result<Vec<Gpu>> {
        let mut count = 0;
        // SAFETY: it is a number to be written.
        self.check(unsafe { (self.functions.cuDeviceGetCount)(&raw mut count) }, "cuDeviceGetCount")?;
        (0..count).map(|ordinal| self.gpu(ordinal)).collect()
    }

    fn gpu(&self, ordinal: c_int) -> Result<Gpu> {
        let (mut device, mut memory, mut name) = (0, 0, [0u8; 256]);
        // SAFETY: it is a number to be written.
        self.check(unsafe { (self.functions.cuDeviceGet)(&raw mut device, ordinal) }, "cuDeviceGet")?;
        // SAFETY: there is room for as many bytes as are given, the last of which is a 0.
        let status = unsafe { (self.functions.cuDeviceGetName)(name.as_mut_ptr().cast(), name.len() as c_int, device) };
        self.check(status, "cuDeviceGetName")?;
        // SAFETY: it is a number to be written.
        self.check(unsafe { (self.functions.cuDeviceTotalMem_v2)(&raw mut memory, device) }, "cuDeviceTotalMem")?;
        let mut capability = [0, 0];
        for (value, attribute) in capability.iter_mut().zip(CAPABILITY) {
            // SAFETY: it is a number to be written.
            let status = unsafe { (self.functions.cuDeviceGetAttribute)(&raw mut *value, attribute, device) };
            self.check(status, "cuDeviceGetAttribute")?;
        }
        let name = CStr::from_bytes_until_nul(&name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let [major, minor] = capability.map(|number| u32::try_from(number).unwrap_or(0));
        Ok(Gpu { name, memory: memory as u64, capability: (major, minor) })
    }

    fn check(&self, status: i32, function: &str) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        let mut text = ptr::null();
        // SAFETY: it is a pointer to be written.
        let known = unsafe { (self.functions.cuGetErrorString)(status, &raw mut text) } == 0 && !text.is_null();
        let text = match known {
            // SAFETY: the driver's texts end with a 0 and live as long as it does.
            true => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
            false => "an unknown error".to_string(),
        };
        Err(self.failure(format!("{function} failed: {text} ({status})"), "see whether nvidia-smi lists the GPU"))
    }

    fn failure(&self, problem: String, remedy: &str) -> Error {
        let library = format!("{} ({})", NvidiaLibrary::Driver.file(), NvidiaLibrary::Driver.name());
        Error::Library { library, problem, remedy: remedy.to_string() }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::process::Command;

    use super::*;

    /// A driver of two GPUs for this version of CUDA, whose start has this status; none without a C compiler.
    fn driver(version: i32, start: i32) -> Option<Result<Driver>> {
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("lib64");
        std::fs::create_dir(&lib).unwrap();
        let source = format!(
            "#include <stdio.h>\n#include <string.h>\n\
             int cuInit(unsigned int flags) {{ return flags ? 1 : {start}; }}\n\
             int cuDriverGetVersion(int *version) {{ *version = {version}; return 0; }}\n\
             int cuGetErrorString(int status, const char **text) {{ *text = \"no CUDA-capable device is detected\"; return status != 100; }}\n\
             int cuDeviceGetCount(int *count) {{ *count = 2; return 0; }}\n\
             int cuDeviceGet(int *device, int ordinal) {{ *device = 7 + ordinal; return 0; }}\n\
             int cuDeviceGetName(char *name, int bytes, int device) {{ snprintf(name, bytes, \"GPU %d\", device); return 0; }}\n\
             int cuDeviceGetAttribute(int *value, int which, int device) {{ *value = which == 75 ? 9 : device - 7; return 0; }}\n\
             int cuDeviceTotalMem_v2(unsigned long *bytes, int device) {{ *bytes = 1ul << (30 + device); return 0; }}\n"
        );
        std::fs::write(folder.path().join("driver.c"), source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(lib.join("libcuda.so.1")).arg(folder.path().join("driver.c"));
        match compiler.status() {
            Ok(status) => assert!(status.success()),
            Err(_) => {
                println!("SKIPPED: there is no C compiler `cc` for a driver");
                return None;
            }
        }
        let home = folder.path().as_os_str().to_owned();
        Some(Driver::find(&Search::of_environment(|name| (name == "CUDA_HOME").then(|| home.clone()))))
    }

    #[test]
    fn gpus_are_listed() {
        let Some(driver) = driver(13_020, 0) else { return };
        let driver = driver.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(driver.version(), (13, 2));
        let gpu = |name: &str, memory, capability| Gpu { name: name.to_string(), memory, capability };
        assert_eq!(driver.gpus().unwrap(), [gpu("GPU 7", 1 << 37, (9, 0)), gpu("GPU 8", 1 << 38, (9, 1))]);
    }

    #[test]
    fn an_old_driver_and_one_without_a_gpu_are_refused() {
        for (version, start, problem) in [
            (12_040, 0, "it is for CUDA 12.4, expected 13.0 or newer; install NVIDIA's driver, version 580 or newer"),
            (13_000, 100, "cuInit failed: no CUDA-capable device is detected (100); see whether nvidia-smi lists the GPU"),
            (13_000, 999, "cuInit failed: an unknown error (999)"),
        ] {
            let Some(driver) = driver(version, start) else { return };
            let error = driver.err().map(|error| error.to_string()).unwrap();
            assert!(error.contains("libcuda.so.1") && error.contains(problem), "{error}");
        }
    }
}
