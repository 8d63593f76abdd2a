//! Convolutions by cuDNN, each kind prepared once.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;

use crate::base::Result;
use crate::compute::affine::Convolution;
use crate::compute::cuda::libraries::functions;
use crate::compute::cuda::{Address, Convolve, Direction, NvidiaLibrary, Precision, Search};

use super::{Factors, failure};

functions! {
    /// cuDNN.
    Cudnn {
        fn cudnnCreate(handle: *mut *mut c_void) -> i32;
        fn cudnnDestroy(handle: *mut c_void) -> i32;
        fn cudnnSetStream(handle: *mut c_void, stream: *mut c_void) -> i32;
        fn cudnnCreateTensorDescriptor(tensor: *mut *mut c_void) -> i32;
        fn cudnnDestroyTensorDescriptor(tensor: *mut c_void) -> i32;
        fn cudnnSetTensor4dDescriptor(
            tensor: *mut c_void,
            format: c_int,
            kind: c_int,
            n: c_int,
            channels: c_int,
            height: c_int,
            width: c_int
        ) -> i32;
        fn cudnnCreateFilterDescriptor(filter: *mut *mut c_void) -> i32;
        fn cudnnDestroyFilterDescriptor(filter: *mut c_void) -> i32;
        fn cudnnSetFilter4dDescriptor(
            filter: *mut c_void,
            kind: c_int,
            format: c_int,
            outputs: c_int,
            inputs: c_int,
            height: c_int,
            width: c_int
        ) -> i32;
        fn cudnnCreateConvolutionDescriptor(convolution: *mut *mut c_void) -> i32;
        fn cudnnDestroyConvolutionDescriptor(convolution: *mut c_void) -> i32;
        fn cudnnSetConvolution2dDescriptor(
            convolution: *mut c_void,
            pad_height: c_int,
            pad_width: c_int,
            stride_down: c_int,
            stride_right: c_int,
            dilation_height: c_int,
            dilation_width: c_int,
            mode: c_int,
            compute: c_int
        ) -> i32;
        fn cudnnSetConvolutionMathType(convolution: *mut c_void, math: c_int) -> i32;
        fn cudnnGetConvolutionForwardAlgorithm_v7(
            handle: *mut c_void,
            below: *mut c_void,
            kernel: *mut c_void,
            convolution: *mut c_void,
            above: *mut c_void,
            wanted: c_int,
            found: *mut c_int,
            results: *mut Proposal
        ) -> i32;
        fn cudnnGetConvolutionBackwardDataAlgorithm_v7(
            handle: *mut c_void,
            kernel: *mut c_void,
            above: *mut c_void,
            convolution: *mut c_void,
            below: *mut c_void,
            wanted: c_int,
            found: *mut c_int,
            results: *mut Proposal
        ) -> i32;
        fn cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            handle: *mut c_void,
            below: *mut c_void,
            above: *mut c_void,
            convolution: *mut c_void,
            kernel: *mut c_void,
            wanted: c_int,
            found: *mut c_int,
            results: *mut Proposal
        ) -> i32;
        fn cudnnConvolutionForward(
            handle: *mut c_void,
            alpha: *const c_void,
            below: *mut c_void,
            below_numbers: *const c_void,
            kernel: *mut c_void,
            kernel_numbers: *const c_void,
            convolution: *mut c_void,
            algorithm: c_int,
            workspace: *mut c_void,
            workspace_bytes: usize,
            beta: *const c_void,
            above: *mut c_void,
            above_numbers: *mut c_void
        ) -> i32;
        fn cudnnConvolutionBackwardData(
            handle: *mut c_void,
            alpha: *const c_void,
            kernel: *mut c_void,
            kernel_numbers: *const c_void,
            above: *mut c_void,
            above_numbers: *const c_void,
            convolution: *mut c_void,
            algorithm: c_int,
            workspace: *mut c_void,
            workspace_bytes: usize,
            beta: *const c_void,
            below: *mut c_void,
            below_numbers: *mut c_void
        ) -> i32;
        fn cudnnConvolutionBackwardFilter(
            handle: *mut c_void,
            alpha: *const c_void,
            below: *mut c_void,
            below_numbers: *const c_void,
            above: *mut c_void,
            above_numbers: *const c_void,
            convolution: *mut c_void,
            algorithm: c_int,
            workspace: *mut c_void,
            workspace_bytes: usize,
            beta: *const c_void,
            kernel: *mut c_void,
            kernel_numbers: *mut c_void
        ) -> i32;
    }
}

/// `cudnnConvolutionFwdAlgoPerf_t`, and its equals of the other directions.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Proposal {
    algorithm: c_int,
    status: c_int,
    time: f32,
    workspace: usize,
    determinism: c_int,
    math: c_int,
    reserved: [c_int; 3],
}

/// `CUDNN_TENSOR_NHWC`
const NHWC: c_int = 1;

/// `CUDNN_CROSS_CORRELATION`: kernels are not turned.
const CROSS_CORRELATION: c_int = 1;

/// `CUDNN_DETERMINISTIC`
const DETERMINISTIC: c_int = 1;

/// Algorithms that are looked at: more than there are.
const PROPOSALS: usize = 10;

/// Bytes that an algorithm may work with.
const MOST_WORKSPACE: usize = 1 << 30;

/// cuDNN with the convolutions that were prepared.
pub(super) struct Convolutions {
    prepared: HashMap<Key, Prepared>,
    /// Memory that algorithms work with.
    pub(super) room: (Address, usize),
    precision: Precision,
    handle: *mut c_void,
    functions: Cudnn,
}

/// What decides how a convolution is computed.
type Key = (Direction, Convolution, usize);

/// The descriptions of a convolution.
#[derive(Clone, Copy)]
struct Prepared {
    below: *mut c_void,
    above: *mut c_void,
    kernel: *mut c_void,
    convolution: *mut c_void,
    algorithm: c_int,
    workspace: usize,
}

impl Convolutions {
    pub(super) fn new(search: &Search, precision: Precision, stream: *mut c_void) -> Result<Self> {
        let functions = Cudnn::load(search.find(NvidiaLibrary::Cudnn)?)?;
        let mut handle = ptr::null_mut();
        // SAFETY: it is a pointer to be written.
        check(unsafe { (functions.cudnnCreate)(&raw mut handle) }, "cudnnCreate")?;
        let convolutions = Convolutions { prepared: HashMap::new(), room: (Address::NONE, 0), precision, handle, functions };
        // SAFETY: the stream lives longer than the handle.
        check(unsafe { (convolutions.functions.cudnnSetStream)(handle, stream) }, "cudnnSetStream")?;
        Ok(convolutions)
    }

    /// Prepares a convolution, if it is not yet; how many bytes it works with.
    pub(super) fn prepare(&mut self, convolve: &Convolve) -> Result<usize> {
        if let Some(prepared) = self.prepared.get(&key(convolve)) {
            return Ok(prepared.workspace);
        }
        let null = ptr::null_mut();
        let mut prepared = Prepared { below: null, above: null, kernel: null, convolution: null, algorithm: 0, workspace: 0 };
        let done = self.describe(convolve, &mut prepared).and_then(|()| self.choose(convolve.direction, &mut prepared));
        if let Err(error) = done {
            self.forget(&prepared);
            return Err(error);
        }
        self.prepared.insert(key(convolve), prepared);
        Ok(prepared.workspace)
    }

    fn describe(&self, convolve: &Convolve, prepared: &mut Prepared) -> Result<()> {
        let (f, kind, c) = (&self.functions, self.kind(), convolve.convolution);
        let samples = extent(convolve.samples);
        let [height, width, inputs, outputs, size] = [c.height, c.width, c.inputs, c.outputs, c.size].map(extent);
        let reach = size / 2;
        // SAFETY: these are pointers to be written.
        unsafe {
            check((f.cudnnCreateTensorDescriptor)(&raw mut prepared.below), "cudnnCreateTensorDescriptor")?;
            check((f.cudnnCreateTensorDescriptor)(&raw mut prepared.above), "cudnnCreateTensorDescriptor")?;
            check((f.cudnnCreateFilterDescriptor)(&raw mut prepared.kernel), "cudnnCreateFilterDescriptor")?;
            check((f.cudnnCreateConvolutionDescriptor)(&raw mut prepared.convolution), "cudnnCreateConvolutionDescriptor")?;
        }
        for (image, channels) in [(prepared.below, inputs), (prepared.above, outputs)] {
            // SAFETY: the description is alive.
            let status = unsafe { (f.cudnnSetTensor4dDescriptor)(image, NHWC, kind, samples, channels, height, width) };
            check(status, "cudnnSetTensor4dDescriptor")?;
        }
        // SAFETY: the description is alive.
        let status = unsafe { (f.cudnnSetFilter4dDescriptor)(prepared.kernel, kind, NHWC, outputs, inputs, size, size) };
        check(status, "cudnnSetFilter4dDescriptor")?;
        let (compute, math) = self.arithmetic();
        // SAFETY: the description is alive.
        let status = unsafe {
            (f.cudnnSetConvolution2dDescriptor)(prepared.convolution, reach, reach, 1, 1, 1, 1, CROSS_CORRELATION, compute)
        };
        check(status, "cudnnSetConvolution2dDescriptor")?;
        // SAFETY: the description is alive.
        check(unsafe { (f.cudnnSetConvolutionMathType)(prepared.convolution, math) }, "cudnnSetConvolutionMathType")
    }

    /// The first of the library's proposals that gives the same bits every time, and is content with the room that there is. They
    /// come in the order of the time that the library expects; nothing is timed.
    fn choose(&self, direction: Direction, prepared: &mut Prepared) -> Result<()> {
        let (f, Prepared { below, above, kernel, convolution, .. }) = (&self.functions, *prepared);
        let (mut proposals, mut found) = ([Proposal::default(); PROPOSALS], 0);
        let (wanted, results) = (PROPOSALS as c_int, proposals.as_mut_ptr());
        // SAFETY: the descriptions are alive, and there is room for as many results as are wanted.
        let status = unsafe {
            match direction {
                Direction::Forward => (f.cudnnGetConvolutionForwardAlgorithm_v7)(
                    self.handle,
                    below,
                    kernel,
                    convolution,
                    above,
                    wanted,
                    &raw mut found,
                    results,
                ),
                Direction::Adjoint => (f.cudnnGetConvolutionBackwardDataAlgorithm_v7)(
                    self.handle,
                    kernel,
                    above,
                    convolution,
                    below,
                    wanted,
                    &raw mut found,
                    results,
                ),
                Direction::Weight => (f.cudnnGetConvolutionBackwardFilterAlgorithm_v7)(
                    self.handle,
                    below,
                    above,
                    convolution,
                    kernel,
                    wanted,
                    &raw mut found,
                    results,
                ),
            }
        };
        check(status, "cudnnGetConvolutionAlgorithm_v7")?;
        let usable = |proposal: &&Proposal| {
            proposal.status == 0 && proposal.determinism == DETERMINISTIC && proposal.workspace <= MOST_WORKSPACE
        };
        let found = usize::try_from(found).unwrap_or(0).min(PROPOSALS);
        let Some(best) = proposals[..found].iter().find(usable) else {
            return Err(failure(NvidiaLibrary::Cudnn, "the choice of an algorithm", -1));
        };
        (prepared.algorithm, prepared.workspace) = (best.algorithm, best.workspace);
        // An algorithm is proposed with the arithmetic that it is meant for.
        // SAFETY: the description is alive.
        check(unsafe { (f.cudnnSetConvolutionMathType)(convolution, best.math) }, "cudnnSetConvolutionMathType")
    }

    /// Computes a convolution that is prepared.
    pub(super) fn carry_out(&self, convolve: &Convolve) -> Result<()> {
        let Some(prepared) = self.prepared.get(&key(convolve)) else { return Ok(()) };
        let Prepared { below, above, kernel, convolution, algorithm, workspace } = *prepared;
        let factors = Factors::new(convolve.scale, self.precision);
        let [alpha, beta] = factors.pointers();
        let at = |address: Address| address.0 as *mut c_void;
        let (s_below, s_kernel, s_above, room) = (at(convolve.below), at(convolve.kernel), at(convolve.above), at(self.room.0));
        let f = &self.functions;
        // SAFETY: the descriptions are those of these images and kernels, which lie within what was allocated; the room is as large
        // as the algorithm has asked for, and the factors are read at once.
        let status = unsafe {
            match convolve.direction {
                Direction::Forward => (f.cudnnConvolutionForward)(
                    self.handle,
                    alpha,
                    below,
                    s_below,
                    kernel,
                    s_kernel,
                    convolution,
                    algorithm,
                    room,
                    workspace,
                    beta,
                    above,
                    s_above,
                ),
                Direction::Adjoint => (f.cudnnConvolutionBackwardData)(
                    self.handle,
                    alpha,
                    kernel,
                    s_kernel,
                    above,
                    s_above,
                    convolution,
                    algorithm,
                    room,
                    workspace,
                    beta,
                    below,
                    s_below,
                ),
                Direction::Weight => (f.cudnnConvolutionBackwardFilter)(
                    self.handle,
                    alpha,
                    below,
                    s_below,
                    above,
                    s_above,
                    convolution,
                    algorithm,
                    room,
                    workspace,
                    beta,
                    kernel,
                    s_kernel,
                ),
            }
        };
        check(status, "cudnnConvolution")
    }

    /// The `cudnnDataType_t` of images and kernels.
    fn kind(&self) -> c_int {
        match self.precision {
            Precision::F32 | Precision::Tf32 => 0,
            Precision::F64 => 1,
            Precision::Bf16 => 9,
        }
    }

    /// The `cudnnDataType_t` of sums, and the `cudnnMathType_t`: without tensor cores for f32 as it is.
    fn arithmetic(&self) -> (c_int, c_int) {
        match self.precision {
            Precision::F32 => (0, 3),
            Precision::F64 => (1, 3),
            Precision::Tf32 | Precision::Bf16 => (0, 1),
        }
    }

    fn forget(&self, prepared: &Prepared) {
        let f = &self.functions;
        // SAFETY: each is destroyed once, and only where it was made.
        unsafe {
            for image in [prepared.below, prepared.above].into_iter().filter(|image| !image.is_null()) {
                (f.cudnnDestroyTensorDescriptor)(image);
            }
            if !prepared.kernel.is_null() {
                (f.cudnnDestroyFilterDescriptor)(prepared.kernel);
            }
            if !prepared.convolution.is_null() {
                (f.cudnnDestroyConvolutionDescriptor)(prepared.convolution);
            }
        }
    }
}

impl Drop for Convolutions {
    fn drop(&mut self) {
        self.prepared.values().for_each(|prepared| self.forget(prepared));
        // SAFETY: it was created, and is destroyed once.
        unsafe { (self.functions.cudnnDestroy)(self.handle) };
    }
}

fn key(convolve: &Convolve) -> Key {
    (convolve.direction, convolve.convolution, convolve.samples)
}

/// An extent as the library counts; those of memory that exists fit.
fn extent(n: usize) -> c_int {
    c_int::try_from(n).unwrap_or(c_int::MAX)
}

fn check(status: i32, function: &str) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(failure(NvidiaLibrary::Cudnn, function, status)) }
}
