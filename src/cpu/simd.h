// Included before any Highway header: which instruction sets kernels are compiled for. Each kernel
// is compiled once per target and chosen at run time, so every further target costs build time.
// On x86: AVX-512 (AVX3), AVX2 and the baseline (SSE2); elsewhere Highway's own choice.
#pragma once

#include <hwy/detect_targets.h>

#if HWY_ARCH_X86 && !defined(HWY_COMPILE_ONLY_EMU128)
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
