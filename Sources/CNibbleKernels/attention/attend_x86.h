// What the x86 builds of the attention tile share: conversions that the processor has as an instruction.
static inline float nk_attend_half(uint16_t half) {
  _Float16 value;
  memcpy(&value, &half, sizeof value);
  return (float)value;
}
#define NK_HALF(half) nk_attend_half(half)
