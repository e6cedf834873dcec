#include "nibble_kernels.h"
