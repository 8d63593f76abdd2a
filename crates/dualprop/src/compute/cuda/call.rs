//! What a GPU is asked to do: launches of kernels, products and convolutions of libraries, and what is done with bare memory.

use std::mem::MaybeUninit;

use crate::compute::affine::Convolution;

/// A place in the memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// Nowhere: what kernels understand as "none".
    pub const NONE: Address = Address(0);
}

/// Words that the struct of a kernel may have.
const WORDS: usize = 16;

/// The struct that a kernel takes, byte by byte.
#[derive(Clone, Copy)]
pub struct Parameters {
    words: [MaybeUninit<u64>; WORDS],
    bytes: usize,
}

impl Parameters {
    pub(in crate::compute) fn new<P: KernelParameters>(parameters: P) -> Self {
        const { assert!(size_of::<P>() <= 8 * WORDS && align_of::<P>() <= 8, "a kernel's struct is larger than its room") };
        let mut words = [MaybeUninit::uninit(); WORDS];
        // SAFETY: the words have room for it, and are aligned as it needs.
        unsafe { words.as_mut_ptr().cast::<P>().write(parameters) };
        Parameters { words, bytes: size_of::<P>() }
    }

    /// Where the struct begins.
    pub fn as_ptr(&self) -> *const std::ffi::c_void {
        self.words.as_ptr().cast()
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A struct that a kernel takes.
///
/// # Safety
/// It is `repr(C)` and, field by field, the struct that the kernel's source declares.
pub(in crate::compute) unsafe trait KernelParameters: Copy {}

/// The launch of a kernel.
#[derive(Clone, Copy)]
pub struct Launch {
    /// Its name in the sources.
    pub kernel: &'static str,
    /// Numbers, windows or samples that its threads share among them.
    pub work: u64,
    /// What it takes.
    pub parameters: Parameters,
}

/// The type of a product's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// That of states, the narrower one where there are two.
    State,
    /// That of parameters, gradients and losses.
    Real,
}

/// output = scale · op(left) · op(right), matrices row by row; op transposes or does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// Rows and columns of the output, and the terms of each number.
    pub extents: [usize; 3],
    /// Whether left and right stand transposed in memory.
    pub transposed: [bool; 2],
    /// Of states.
    pub left: Address,
    /// Of states.
    pub right: Address,
    /// Of its own kind.
    pub output: Address,
    /// The kind of its numbers.
    pub kind: Kind,
    /// The factor.
    pub scale: f64,
}

/// Which of the three images of a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// above = kernel * below
    Forward,
    /// below = the adjoint of that
    Adjoint,
    /// kernel = scale · Σ above belowᵀ
    Weight,
}

/// A convolution of states, its images NHWC and its kernel `[out, k, k, in]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convolve {
    /// What is computed.
    pub direction: Direction,
    /// The extents.
    pub convolution: Convolution,
    /// Images.
    pub samples: usize,
    /// The image of `inputs` channels.
    pub below: Address,
    /// The kernel, or its gradient: of states as well, since a library computes all three in one type.
    pub kernel: Address,
    /// The image of `outputs` channels.
    pub above: Address,
    /// The factor.
    pub scale: f64,
}

/// One thing that a GPU is asked to do, after what was asked before it.
#[derive(Clone, Copy)]
pub enum Call {
    /// A kernel.
    Launch(Launch),
    /// A product of matrices.
    Product(Product),
    /// A convolution.
    Convolve(Convolve),
    /// So many bytes from one place to another.
    Copy {
        /// Source
        from: Address,
        /// Destination
        to: Address,
        /// How many
        bytes: u64,
    },
    /// So many bytes that become 0.
    Zero {
        /// Where
        at: Address,
        /// How many
        bytes: u64,
    },
}
