// Nibble's kernels: every function that the Swift targets call. C11, no allocation, no I/O, no errors (callers check
// shapes), no globals but the dispatch tables.
#ifndef NIBBLE_KERNELS_H
#define NIBBLE_KERNELS_H

#include "nibble_kernels_support.h"
#include "nk_attention.h"
#include "nk_blocks.h"
#include "nk_feedback.h"
#include "nk_float.h"
#include "nk_groups.h"
#include "nk_instruction_set.h"
#include "nk_matmul.h"
#include "nk_panels.h"
#include "nk_roofs.h"
#include "nk_strips.h"

#endif
