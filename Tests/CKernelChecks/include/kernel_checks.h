// Compares a table of kernels with the scalar table, bit for bit, over all types and many shapes and values.
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "nibble_kernels.h"

enum { nk_check_message_size = 200 };

/// The number of results that differ; `message` (nk_check_message_size bytes) tells where the first one is.
size_t nk_check_products(const nk_matmul_table *table, const nk_matmul_table *scalar, char *message);
size_t nk_check_strips(const nk_strip_table *table, const nk_strip_table *scalar, const nk_matmul_table *quantizer,
                       char *message);
size_t nk_check_rows(const nk_float_table *table, const nk_float_table *scalar, char *message);

#endif
