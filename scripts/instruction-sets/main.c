// Runs the kernel checks of Tests/CKernelChecks on one table, which scripts/check-instruction-sets names with TABLE:
// avx2, avx512 or neon. The table is used directly, whatever this machine has.
#include <stdio.h>

#include "kernel_checks.h"

#define JOIN(a, b) a##b
#define NAMED(a, b) JOIN(a, b)
#define TEXT(a) #a
#define TEXT_OF(a) TEXT(a)

extern const nk_matmul_table nk_matmul_scalar, NAMED(nk_matmul_, TABLE);
extern const nk_strip_table nk_strips_scalar, NAMED(nk_strips_, TABLE);
extern const nk_float_table nk_float_scalar, NAMED(nk_float_, TABLE);

int main(void) {
  char message[nk_check_message_size] = "";
  size_t products = nk_check_products(&NAMED(nk_matmul_, TABLE), &nk_matmul_scalar, message);
  if (products) printf("%s products: %zu results differ; the first: %s\n", TEXT_OF(TABLE), products, message);
  size_t strips = nk_check_strips(&NAMED(nk_strips_, TABLE), &nk_strips_scalar, &nk_matmul_scalar, message);
  if (strips) printf("%s strips: %zu results differ; the first: %s\n", TEXT_OF(TABLE), strips, message);
  size_t rows = nk_check_rows(&NAMED(nk_float_, TABLE), &nk_float_scalar, message);
  if (rows) printf("%s rows: %zu results differ; the first: %s\n", TEXT_OF(TABLE), rows, message);
  if (!products && !strips && !rows) printf("%s: the scalar table's bits\n", TEXT_OF(TABLE));
  return products || strips || rows;
}
