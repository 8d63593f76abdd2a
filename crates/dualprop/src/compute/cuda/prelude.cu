// What the kernels stand on. They are written in what CUDA C++ and C have in common: NVRTC compiles them for a GPU, and where there
// is none, a C compiler for the tests, with threads.c in the place of the GPU's own variables.
//
// REAL is the type of parameters, losses and sums: float or double. BF16 is 1 where means, differences and what is computed of them
// are kept in bfloat16; everything else stays REAL then.

typedef unsigned long long size;
typedef REAL real;

#ifdef __CUDACC__
#define DEVICE static __device__ __forceinline__
// A kernel: a function of one struct, which the host fills.
#define KERNEL(name, Params) extern "C" __global__ void name(const Params p)
#endif

// Every place of n, shared out among all threads of a launch.
#define EACH(i, n) (size i = blockIdx.x * (size)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (size)blockDim.x)

#define SMALLEST_FLOAT 1.17549435082228750797e-38f
#define SMALLEST_DOUBLE 2.2250738585072013831e-308

#define IS_DOUBLE (sizeof(real) == 8)

DEVICE real exponential(real x) { return IS_DOUBLE ? (real)exp((double)x) : (real)expf((float)x); }
DEVICE real exponential_less_one(real x) { return IS_DOUBLE ? (real)expm1((double)x) : (real)expm1f((float)x); }
DEVICE real hyperbolic_tangent(real x) { return IS_DOUBLE ? (real)tanh((double)x) : (real)tanhf((float)x); }
DEVICE real root(real x) { return IS_DOUBLE ? (real)sqrt((double)x) : (real)sqrtf((float)x); }
DEVICE real magnitude(real x) { return IS_DOUBLE ? (real)fabs((double)x) : (real)fabsf((float)x); }

// The larger and the smaller of two; NaN if x is NaN, so that a broken number is never hidden.
DEVICE real at_least(real x, real bound) { return x < bound ? bound : x; }
DEVICE real at_most(real x, real bound) { return x > bound ? bound : x; }

// x, or 0 where it is subnormal.
DEVICE real or_zero(real x) { return magnitude(x) < (real)(IS_DOUBLE ? SMALLEST_DOUBLE : SMALLEST_FLOAT) ? 0 : x; }

DEVICE int is_nan(real x) { return x != x; }
DEVICE int is_finite(real x) { return x - x == 0; }

#if BF16
typedef unsigned short state;

typedef union {
    float number;
    unsigned int bits;
} FloatBits;

DEVICE real get(const state *states, size i) {
    FloatBits x;
    x.bits = (unsigned int)states[i] << 16;
    return x.number;
}

// To the nearest, of two equally near ones to the even; NaN stays NaN.
DEVICE void put(state *states, size i, real value) {
    FloatBits x;
    x.number = value;
    if (is_nan(value)) {
        states[i] = (state)(x.bits >> 16 | 0x40);
    } else {
        states[i] = (state)((x.bits + 0x7fff + (x.bits >> 16 & 1)) >> 16);
    }
}
#else
typedef real state;

DEVICE real get(const state *states, size i) { return states[i]; }
DEVICE void put(state *states, size i, real value) { states[i] = value; }
#endif
