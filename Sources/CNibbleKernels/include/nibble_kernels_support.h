// Small inline helpers that have no scalar twin because they compute nothing.
#ifndef NIBBLE_KERNELS_SUPPORT_H
#define NIBBLE_KERNELS_SUPPORT_H

#if defined(__linux__)
#include <malloc.h>
#endif

/// Tells the core that this thread is in a short busy wait.
static inline void nk_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Lets freed memory be used again, where glibc would hand blocks above 128 KiB back to the system and take fresh pages,
/// filled with zeros, for the next ones. Swift does not see mallopt.
static inline void nk_keep_freed_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

#endif
