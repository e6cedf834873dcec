// Small inline helpers that have no scalar twin because they compute nothing.
#ifndef NIBBLE_KERNELS_SUPPORT_H
#define NIBBLE_KERNELS_SUPPORT_H

/// Tells the core that this thread is in a short busy wait.
static inline void nk_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
