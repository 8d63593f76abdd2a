// A GPU for the tests, thread by thread: what CUDA provides and C does not.

#include <math.h>

#define DEVICE static inline

typedef struct {
    unsigned int x, y, z;
} Place;

// Each thread of this machine may launch kernels of its own.
_Thread_local Place gridDim, blockDim, blockIdx, threadIdx;

// A kernel and, beside it, one that the host calls with the address of its struct, for a launch of so many blocks of so many threads,
// and the size of the struct.
#define KERNEL(name, Params)                                                                                                            \
    static void name(const Params p);                                                                                                  \
    const unsigned long long name##_size = sizeof(Params);                                                                             \
    void name##_launch(const Params *p, unsigned int blocks, unsigned int threads) {                                                   \
        gridDim.x = blocks;                                                                                                             \
        blockDim.x = threads;                                                                                                           \
        for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {                                                                      \
            for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) {                                                              \
                name(*p);                                                                                                               \
            }                                                                                                                           \
        }                                                                                                                               \
    }                                                                                                                                   \
    static void name(const Params p)
