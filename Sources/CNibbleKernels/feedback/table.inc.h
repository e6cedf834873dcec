// The feedback kernels over eight lanes; included once for each instruction set, with NK_FEEDBACK_TABLE named.
#include "../include/nk_feedback.h"
#include "cholesky.h"
#include "descend.h"
#include "normals.h"
#include "sweep.h"

const nk_feedback_table NK_FEEDBACK_TABLE = {
  .load = load,
  .sweep = sweep,
  .gradient = gradient,
  .multiply = multiply,
  .normals = normals,
  .mixed = mixed,
  .descend = descend,
  .subtract_products = subtract_products,
  .factor = factor,
  .solve_rows = solve_rows,
  .solve_tile = solve_tile,
};
