//! A GPU as a [`Backend`]: memory, launches and copies by the driver, products by cuBLASLt, convolutions by cuDNN.

mod convolutions;
mod products;

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use crate::base::{Error, Result};

use super::libraries::functions;
use super::{Address, Backend, Call, Compiler, Driver, Launch, NvidiaLibrary, Precision, Search};
use convolutions::Convolutions;
use products::Products;

functions! {
    /// What of the driver a computation needs.
    Functions {
        fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> i32;
        fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, device: c_int) -> i32;
        fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> i32;
        fn cuCtxSetCurrent(context: *mut c_void) -> i32;
        fn cuStreamCreate(stream: *mut *mut c_void, flags: u32) -> i32;
        fn cuStreamDestroy_v2(stream: *mut c_void) -> i32;
        fn cuStreamSynchronize(stream: *mut c_void) -> i32;
        fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> i32;
        fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> i32;
        fn cuMemFree_v2(address: u64) -> i32;
        fn cuMemsetD8Async(address: u64, byte: u8, count: usize, stream: *mut c_void) -> i32;
        fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: *mut c_void) -> i32;
        fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: *mut c_void) -> i32;
        fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: *mut c_void) -> i32;
        fn cuModuleLoadData(module: *mut *mut c_void, image: *const c_void) -> i32;
        fn cuModuleUnload(module: *mut c_void) -> i32;
        fn cuModuleGetFunction(function: *mut *mut c_void, module: *mut c_void, name: *const c_char) -> i32;
        fn cuLaunchKernel(
            function: *mut c_void,
            blocks_x: u32,
            blocks_y: u32,
            blocks_z: u32,
            threads_x: u32,
            threads_y: u32,
            threads_z: u32,
            shared_bytes: u32,
            stream: *mut c_void,
            parameters: *mut *mut c_void,
            extra: *mut *mut c_void
        ) -> i32;
    }
}

/// `CU_STREAM_NON_BLOCKING`: nothing waits for what others do on the same GPU.
const NON_BLOCKING: u32 = 1;

/// `CUDA_ERROR_OUT_OF_MEMORY`
const OUT_OF_MEMORY: i32 = 2;

/// Threads of a block.
const THREADS: u32 = 256;

/// The most blocks of a launch, whose threads then take several numbers each: some for every multiprocessor of any GPU.
const MOST_BLOCKS: u64 = 1 << 14;

/// One GPU, with the libraries that compute on it.
pub struct GpuBackend {
    // Dropped in this order, before the context.
    products: Products,
    convolutions: Convolutions,
    kernels: HashMap<&'static str, *mut c_void>,
    module: *mut c_void,
    memory: Vec<u64>,
    context: Context,
}

impl GpuBackend {
    /// The GPU of this number, in the driver's order, with its kernels compiled for the precision.
    ///
    /// # Errors
    /// [`Error::Library`] where a library is missing or fails; [`Error::Setting`] where there is no such GPU.
    pub fn new(search: &Search, ordinal: usize, precision: Precision) -> Result<Self> {
        let gpus = Driver::find(search)?.gpus()?;
        let Some(gpu) = gpus.get(ordinal) else {
            let problem = format!("there are {} GPUs, counted from 0", gpus.len());
            return Err(Error::setting("device", format!("cuda:{ordinal}"), problem));
        };
        let cubin = Compiler::find(search)?.compile(precision, gpu.capability)?;
        let context = Context::new(search, ordinal as c_int)?;
        let mut module = ptr::null_mut();
        // SAFETY: the image is a complete CUBIN, which the driver copies.
        let status = unsafe { (context.functions.cuModuleLoadData)(&raw mut module, cubin.as_ptr().cast()) };
        context.check(status, "cuModuleLoadData")?;
        let products = Products::new(search, precision, context.stream)?;
        let convolutions = Convolutions::new(search, precision, context.stream)?;
        Ok(GpuBackend { products, convolutions, kernels: HashMap::new(), module, memory: vec![], context })
    }

    fn launch(&mut self, launch: &Launch) -> Result<()> {
        let function = self.kernel(launch.kernel)?;
        let blocks = launch.work.div_ceil(u64::from(THREADS)).clamp(1, MOST_BLOCKS) as u32;
        let mut parameters = [launch.parameters.as_ptr().cast_mut()];
        // SAFETY: the kernel takes one struct, which is the one that it declares, and reads it before the call returns; the places in
        // it lie within what was allocated.
        let status = unsafe {
            (self.context.functions.cuLaunchKernel)(
                function,
                blocks,
                1,
                1,
                THREADS,
                1,
                1,
                0,
                self.context.stream,
                parameters.as_mut_ptr(),
                ptr::null_mut(),
            )
        };
        self.context.check(status, launch.kernel)
    }

    fn kernel(&mut self, name: &'static str) -> Result<*mut c_void> {
        if let Some(function) = self.kernels.get(name) {
            return Ok(*function);
        }
        let mut function = ptr::null_mut();
        let text = CString::new(name).expect("names of kernels have no character 0");
        // SAFETY: the module is loaded, and the name ends with a 0.
        let status = unsafe { (self.context.functions.cuModuleGetFunction)(&raw mut function, self.module, text.as_ptr()) };
        self.context.check(status, name)?;
        self.kernels.insert(name, function);
        Ok(function)
    }

    /// Takes bytes as they are.
    fn take(&mut self, bytes: u64) -> Result<Address> {
        let (mut address, bytes) = (0, (bytes as usize).max(1));
        // SAFETY: it is a number to be written.
        let status = unsafe { (self.context.functions.cuMemAlloc_v2)(&raw mut address, bytes) };
        if status == OUT_OF_MEMORY {
            return Err(self.context.too_little(bytes)?);
        }
        self.context.check(status, "cuMemAlloc")?;
        self.memory.push(address);
        Ok(Address(address))
    }

    /// Room for a library's algorithm.
    fn reserve(&mut self, bytes: usize, present: (Address, usize)) -> Result<(Address, usize)> {
        if bytes <= present.1 {
            return Ok(present);
        }
        // The smaller one stays until the end: calls that name it may be under way.
        Ok((self.take(bytes as u64)?, bytes))
    }
}

impl Backend for GpuBackend {
    fn allocate(&mut self, bytes: u64) -> Result<Address> {
        self.context.enter()?;
        let address = self.take(bytes)?;
        // SAFETY: it was taken just now.
        unsafe { self.carry_out(&[Call::Zero { at: address, bytes }]) }?;
        Ok(address)
    }

    unsafe fn write(&mut self, at: Address, bytes: &[u8]) -> Result<()> {
        self.context.enter()?;
        let Context { functions, stream, .. } = &self.context;
        // SAFETY: the place has room for them, and they are alive until the copy is over, which is waited for.
        let status = unsafe { (functions.cuMemcpyHtoDAsync_v2)(at.0, bytes.as_ptr().cast(), bytes.len(), *stream) };
        self.context.check(status, "cuMemcpyHtoDAsync")?;
        self.context.wait()
    }

    unsafe fn read(&mut self, at: Address, bytes: &mut [u8]) -> Result<()> {
        self.context.enter()?;
        let Context { functions, stream, .. } = &self.context;
        // SAFETY: as many bytes are there, and the copy is waited for.
        let status = unsafe { (functions.cuMemcpyDtoHAsync_v2)(bytes.as_mut_ptr().cast(), at.0, bytes.len(), *stream) };
        self.context.check(status, "cuMemcpyDtoHAsync")?;
        self.context.wait()
    }

    unsafe fn carry_out(&mut self, calls: &[Call]) -> Result<()> {
        self.context.enter()?;
        for call in calls {
            match call {
                Call::Launch(launch) => self.launch(launch)?,
                Call::Product(product) => {
                    let needed = self.products.prepare(product)?;
                    self.products.room = self.reserve(needed, self.products.room)?;
                    self.products.carry_out(product)?;
                }
                Call::Convolve(convolve) => {
                    let needed = self.convolutions.prepare(convolve)?;
                    self.convolutions.room = self.reserve(needed, self.convolutions.room)?;
                    self.convolutions.carry_out(convolve)?;
                }
                Call::Copy { from, to, bytes } => {
                    let Context { functions, stream, .. } = &self.context;
                    // SAFETY: both places have so many bytes.
                    let status = unsafe { (functions.cuMemcpyDtoDAsync_v2)(to.0, from.0, *bytes as usize, *stream) };
                    self.context.check(status, "cuMemcpyDtoDAsync")?;
                }
                Call::Zero { at, bytes } => {
                    let Context { functions, stream, .. } = &self.context;
                    // SAFETY: the place has so many bytes.
                    let status = unsafe { (functions.cuMemsetD8Async)(at.0, 0, *bytes as usize, *stream) };
                    self.context.check(status, "cuMemsetD8Async")?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for GpuBackend {
    fn drop(&mut self) {
        // What fails here fails because the device is lost, and everything on it with it.
        let _ = self.context.enter().and_then(|()| self.context.wait());
        for &address in &self.memory {
            // SAFETY: it was allocated, nothing is under way any more, and it is freed once.
            unsafe { (self.context.functions.cuMemFree_v2)(address) };
        }
        // SAFETY: it was loaded, and none of its kernels is under way any more.
        unsafe { (self.context.functions.cuModuleUnload)(self.module) };
    }
}

/// A GPU's primary context, which the libraries use as well, and the stream in which everything is done in order.
struct Context {
    functions: Functions,
    device: c_int,
    handle: *mut c_void,
    stream: *mut c_void,
}

impl Context {
    fn new(search: &Search, ordinal: c_int) -> Result<Self> {
        let functions = Functions::load(search.find(NvidiaLibrary::Driver)?)?;
        let mut context = Context { functions, device: 0, handle: ptr::null_mut(), stream: ptr::null_mut() };
        let (mut device, mut handle) = (0, ptr::null_mut());
        // SAFETY: it is a number to be written.
        context.check(unsafe { (context.functions.cuDeviceGet)(&raw mut device, ordinal) }, "cuDeviceGet")?;
        context.device = device;
        // SAFETY: it is a pointer to be written.
        let status = unsafe { (context.functions.cuDevicePrimaryCtxRetain)(&raw mut handle, context.device) };
        context.check(status, "cuDevicePrimaryCtxRetain")?;
        context.handle = handle;
        context.enter()?;
        let mut stream = ptr::null_mut();
        // SAFETY: it is a pointer to be written.
        context.check(unsafe { (context.functions.cuStreamCreate)(&raw mut stream, NON_BLOCKING) }, "cuStreamCreate")?;
        context.stream = stream;
        Ok(context)
    }

    /// Makes it the context of the calling thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context is retained.
        self.check(unsafe { (self.functions.cuCtxSetCurrent)(self.handle) }, "cuCtxSetCurrent")
    }

    /// Waits until everything is done.
    fn wait(&self) -> Result<()> {
        // SAFETY: the stream is alive.
        self.check(unsafe { (self.functions.cuStreamSynchronize)(self.stream) }, "cuStreamSynchronize")
    }

    fn check(&self, status: i32, what: &str) -> Result<()> {
        match status {
            0 => Ok(()),
            status => Err(failure(NvidiaLibrary::Driver, what, status)),
        }
    }

    /// The error of so many bytes too much.
    fn too_little(&self, bytes: usize) -> Result<Error> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are numbers to be written.
        self.check(unsafe { (self.functions.cuMemGetInfo_v2)(&raw mut free, &raw mut total) }, "cuMemGetInfo")?;
        let mebibytes = |bytes: usize| (bytes >> 20) as u64;
        let (needed, available) = (mebibytes(bytes), mebibytes(free));
        Ok(Error::Memory { what: "the GPU".to_string(), needed, available, remedy: "make training.batch_size smaller" })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both are destroyed once, and only where they were made.
        unsafe {
            if !self.stream.is_null() {
                (self.functions.cuStreamDestroy_v2)(self.stream);
            }
            if !self.handle.is_null() {
                (self.functions.cuDevicePrimaryCtxRelease_v2)(self.device);
            }
        }
    }
}

/// The factor of a result, and 0 for what stood in its place before, as libraries read them.
struct Factors {
    precision: Precision,
    wide: [f64; 2],
    single: [f32; 2],
}

impl Factors {
    fn new(scale: f64, precision: Precision) -> Self {
        Factors { precision, wide: [scale, 0.0], single: [scale as f32, 0.0] }
    }

    fn pointers(&self) -> [*const c_void; 2] {
        match self.precision {
            Precision::F64 => self.wide.each_ref().map(|factor| ptr::from_ref(factor).cast()),
            _ => self.single.each_ref().map(|factor| ptr::from_ref(factor).cast()),
        }
    }
}

/// What a library's function reports that is not success.
fn failure(library: NvidiaLibrary, function: &str, status: i32) -> Error {
    Error::Library {
        library: format!("{} ({})", library.file(), library.name()),
        problem: format!("{function} failed with status {status}"),
        remedy: "what was computed since the last checkpoint is lost; go on with --resume".to_string(),
    }
}
