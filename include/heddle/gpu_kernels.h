// What std::runtime_error says where a kernel in a language of GPUs is called, in C++ as in Python.
#pragma once

namespace heddle::fast {

inline constexpr const char* metal_source_refused =
    "[metal_kernel] No Metal back-end. Metal source runs on Apple's GPUs only; heddle computes on "
    "the CPU.";
inline constexpr const char* cuda_source_refused =
    "[cuda_kernel] No CUDA back-end. CUDA source runs on Nvidia's GPUs only; heddle computes on "
    "the CPU.";
inline constexpr const char* cuda_binary_refused =
    "[cuda_kernel] No CUDA back-end. PTX and cubin run on Nvidia's GPUs only; heddle computes on "
    "the CPU.";

}  // namespace heddle::fast
