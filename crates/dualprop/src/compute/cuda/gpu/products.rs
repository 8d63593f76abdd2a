//! Products of matrices by cuBLASLt, each kind prepared once.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;

use crate::base::Result;
use crate::compute::cuda::libraries::functions;
use crate::compute::cuda::{Address, Kind, NvidiaLibrary, Precision, Product, Search};

use super::{Factors, failure};

functions! {
    /// cuBLASLt.
    CublasLt {
        fn cublasLtCreate(handle: *mut *mut c_void) -> i32;
        fn cublasLtDestroy(handle: *mut c_void) -> i32;
        fn cublasLtMatmulDescCreate(description: *mut *mut c_void, compute: c_int, scale: c_int) -> i32;
        fn cublasLtMatmulDescDestroy(description: *mut c_void) -> i32;
        fn cublasLtMatmulDescSetAttribute(description: *mut c_void, attribute: c_int, value: *const c_void, bytes: usize) -> i32;
        fn cublasLtMatrixLayoutCreate(layout: *mut *mut c_void, kind: c_int, rows: u64, columns: u64, stride: i64) -> i32;
        fn cublasLtMatrixLayoutDestroy(layout: *mut c_void) -> i32;
        fn cublasLtMatmulPreferenceCreate(preference: *mut *mut c_void) -> i32;
        fn cublasLtMatmulPreferenceDestroy(preference: *mut c_void) -> i32;
        fn cublasLtMatmulPreferenceSetAttribute(preference: *mut c_void, attribute: c_int, value: *const c_void, bytes: usize) -> i32;
        fn cublasLtMatmulAlgoGetHeuristic(
            handle: *mut c_void,
            description: *mut c_void,
            a: *mut c_void,
            b: *mut c_void,
            c: *mut c_void,
            d: *mut c_void,
            preference: *mut c_void,
            wanted: c_int,
            results: *mut Heuristic,
            found: *mut c_int
        ) -> i32;
        fn cublasLtMatmul(
            handle: *mut c_void,
            description: *mut c_void,
            alpha: *const c_void,
            a: *const c_void,
            a_layout: *mut c_void,
            b: *const c_void,
            b_layout: *mut c_void,
            beta: *const c_void,
            c: *const c_void,
            c_layout: *mut c_void,
            d: *mut c_void,
            d_layout: *mut c_void,
            algorithm: *const [u64; 8],
            workspace: *mut c_void,
            workspace_bytes: usize,
            stream: *mut c_void
        ) -> i32;
    }
}

/// `cublasLtMatmulHeuristicResult_t`
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Heuristic {
    algorithm: [u64; 8],
    workspace: usize,
    status: c_int,
    waves: f32,
    reserved: [c_int; 4],
}

/// `CUBLASLT_MATMUL_DESC_TRANSA` and `…_TRANSB`
const TRANSPOSITIONS: [c_int; 2] = [3, 4];

/// `CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES`
const MAX_WORKSPACE: c_int = 1;

/// Bytes that an algorithm may work with, where the library reads them.
static MOST_WORKSPACE: usize = 32 << 20;

/// cuBLASLt with the products that were prepared.
pub(super) struct Products {
    prepared: HashMap<Key, Prepared>,
    /// Memory that algorithms work with.
    pub(super) room: (Address, usize),
    precision: Precision,
    stream: *mut c_void,
    handle: *mut c_void,
    functions: CublasLt,
}

/// What decides how a product is computed.
type Key = ([usize; 3], [bool; 2], bool);

/// The descriptions of a product.
struct Prepared {
    description: *mut c_void,
    /// Those of A, B and the output.
    layouts: [*mut c_void; 3],
    algorithm: [u64; 8],
    workspace: usize,
}

impl Products {
    pub(super) fn new(search: &Search, precision: Precision, stream: *mut c_void) -> Result<Self> {
        let functions = CublasLt::load(search.find(NvidiaLibrary::CublasLt)?)?;
        let mut handle = ptr::null_mut();
        // SAFETY: it is a pointer to be written.
        check(unsafe { (functions.cublasLtCreate)(&raw mut handle) }, "cublasLtCreate")?;
        Ok(Products { prepared: HashMap::new(), room: (Address::NONE, 0), precision, stream, handle, functions })
    }

    /// Prepares a product, if it is not yet; how many bytes it works with.
    pub(super) fn prepare(&mut self, product: &Product) -> Result<usize> {
        if let Some(prepared) = self.prepared.get(&key(product)) {
            return Ok(prepared.workspace);
        }
        let mut prepared =
            Prepared { description: ptr::null_mut(), layouts: [ptr::null_mut(); 3], algorithm: [0; 8], workspace: 0 };
        let done = self.describe(product, &mut prepared).and_then(|()| self.choose(&mut prepared));
        if let Err(error) = done {
            self.forget(&prepared);
            return Err(error);
        }
        let workspace = prepared.workspace;
        self.prepared.insert(key(product), prepared);
        Ok(workspace)
    }

    /// output = left · right row by row is outputᵀ = rightᵀ · leftᵀ column by column, as the library counts: A is what stands right,
    /// B what stands left, and a matrix of r rows in memory is one of r columns to it.
    fn describe(&self, product: &Product, prepared: &mut Prepared) -> Result<()> {
        let (compute, scale) = self.arithmetic();
        // SAFETY: it is a pointer to be written.
        let status = unsafe { (self.functions.cublasLtMatmulDescCreate)(&raw mut prepared.description, compute, scale) };
        check(status, "cublasLtMatmulDescCreate")?;
        let [left, right] = product.transposed;
        for (attribute, transposed) in TRANSPOSITIONS.into_iter().zip([right, left]) {
            let transposed = c_int::from(transposed);
            self.set(prepared.description, attribute, &transposed)?;
        }
        let [m, n, k] = product.extents;
        let turned = |[rows, columns]: [usize; 2], transposed: bool| if transposed { [columns, rows] } else { [rows, columns] };
        let state = self.kind(Kind::State);
        let shapes = [(turned([k, n], right), state), (turned([m, k], left), state), ([m, n], self.kind(product.kind))];
        for (layout, ([rows, columns], kind)) in prepared.layouts.iter_mut().zip(shapes) {
            let (rows, columns) = (rows as u64, columns as u64);
            // SAFETY: it is a pointer to be written.
            let status = unsafe { (self.functions.cublasLtMatrixLayoutCreate)(layout, kind, columns, rows, columns as i64) };
            check(status, "cublasLtMatrixLayoutCreate")?;
        }
        Ok(())
    }

    fn set(&self, description: *mut c_void, attribute: c_int, value: &c_int) -> Result<()> {
        let (value, bytes) = (ptr::from_ref(value).cast(), size_of::<c_int>());
        // SAFETY: the description is alive, and the attribute is a number of so many bytes.
        let status = unsafe { (self.functions.cublasLtMatmulDescSetAttribute)(description, attribute, value, bytes) };
        check(status, "cublasLtMatmulDescSetAttribute")
    }

    /// The first algorithm that the library proposes.
    fn choose(&self, prepared: &mut Prepared) -> Result<()> {
        let mut preference = ptr::null_mut();
        // SAFETY: it is a pointer to be written.
        let status = unsafe { (self.functions.cublasLtMatmulPreferenceCreate)(&raw mut preference) };
        check(status, "cublasLtMatmulPreferenceCreate")?;
        let (limit, bytes) = (&raw const MOST_WORKSPACE, size_of::<usize>());
        let (mut best, mut found) = (Heuristic::default(), 0);
        let [a, b, output] = prepared.layouts;
        // SAFETY: everything that is named is alive; the limit is a number of so many bytes, and there is room for one result.
        let status = unsafe {
            let set = (self.functions.cublasLtMatmulPreferenceSetAttribute)(preference, MAX_WORKSPACE, limit.cast(), bytes);
            let proposed = (self.functions.cublasLtMatmulAlgoGetHeuristic)(
                self.handle,
                prepared.description,
                a,
                b,
                output,
                output,
                preference,
                1,
                &raw mut best,
                &raw mut found,
            );
            (self.functions.cublasLtMatmulPreferenceDestroy)(preference);
            if set != 0 { set } else { proposed }
        };
        check(status, "cublasLtMatmulAlgoGetHeuristic")?;
        check(if found == 0 { -1 } else { best.status }, "cublasLtMatmulAlgoGetHeuristic")?;
        (prepared.algorithm, prepared.workspace) = (best.algorithm, best.workspace);
        Ok(())
    }

    /// Computes a product that is prepared.
    pub(super) fn carry_out(&self, product: &Product) -> Result<()> {
        let Some(prepared) = self.prepared.get(&key(product)) else { return Ok(()) };
        let factors = Factors::new(product.scale, self.precision);
        let [alpha, beta] = factors.pointers();
        let [a, b, output] = [product.right, product.left, product.output].map(|address| address.0 as *mut c_void);
        let [a_layout, b_layout, layout] = prepared.layouts;
        // SAFETY: the descriptions are those of these matrices, which lie within what was allocated; the factors are read at once.
        let status = unsafe {
            (self.functions.cublasLtMatmul)(
                self.handle,
                prepared.description,
                alpha,
                a,
                a_layout,
                b,
                b_layout,
                beta,
                output,
                layout,
                output,
                layout,
                &raw const prepared.algorithm,
                self.room.0.0 as *mut c_void,
                prepared.workspace,
                self.stream,
            )
        };
        check(status, "cublasLtMatmul")
    }

    /// `cublasComputeType_t` and the `cudaDataType_t` of the factors.
    fn arithmetic(&self) -> (c_int, c_int) {
        match self.precision {
            Precision::F32 | Precision::Bf16 => (68, 0),
            Precision::Tf32 => (77, 0),
            Precision::F64 => (70, 1),
        }
    }

    /// The `cudaDataType_t` of numbers.
    fn kind(&self, kind: Kind) -> c_int {
        match (self.precision, kind) {
            (Precision::F64, _) => 1,
            (Precision::Bf16, Kind::State) => 14,
            _ => 0,
        }
    }

    fn forget(&self, prepared: &Prepared) {
        // SAFETY: each is destroyed once, and only where it was made.
        unsafe {
            if !prepared.description.is_null() {
                (self.functions.cublasLtMatmulDescDestroy)(prepared.description);
            }
            for layout in prepared.layouts.into_iter().filter(|layout| !layout.is_null()) {
                (self.functions.cublasLtMatrixLayoutDestroy)(layout);
            }
        }
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        self.prepared.values().for_each(|prepared| self.forget(prepared));
        // SAFETY: it was created, and is destroyed once.
        unsafe { (self.functions.cublasLtDestroy)(self.handle) };
    }
}

fn key(product: &Product) -> Key {
    (product.extents, product.transposed, product.kind == Kind::Real)
}

fn check(status: i32, function: &str) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(failure(NvidiaLibrary::CublasLt, function, status)) }
}
