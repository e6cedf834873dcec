// Reading in order, and the table. Included once for each instruction set, after it has defined nk_roof_multiply,
// NK_ROOF_PRODUCTS and NK_ROOF_TABLE.

typedef uint64_t nk_roof_words __attribute__((ext_vector_type(8)));

static uint64_t nk_roof_read(const uint8_t *memory, size_t count) {
  const nk_roof_words *words = (const nk_roof_words *)memory;
  nk_roof_words a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i < count / 64; i += 4) {
    a ^= words[i];
    b ^= words[i + 1];
    c ^= words[i + 2];
    d ^= words[i + 3];
  }
  a ^= b ^ c ^ d;
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum ^= a[i];
  return sum;
}

const nk_roof_table NK_ROOF_TABLE = {NK_ROOF_PRODUCTS, nk_roof_multiply, nk_roof_read};
