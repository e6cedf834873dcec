// Nibble's kernels: every function that the Swift targets call. C11, no allocation, no I/O, no errors (callers check
// shapes), no globals but the dispatch table.
#ifndef NIBBLE_KERNELS_H
#define NIBBLE_KERNELS_H

#include "nibble_kernels_support.h"

#endif
