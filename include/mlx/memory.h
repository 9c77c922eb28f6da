// Statistics and limits of memory.
#pragma once

#include <vector>

#include "heddle/memory.h"
#include "mlx/array.h"

namespace mlx::core {

using heddle::clear_cache;
using heddle::get_active_memory;
using heddle::get_cache_memory;
using heddle::get_memory_limit;
using heddle::get_peak_memory;
using heddle::reset_peak_memory;
using heddle::set_cache_limit;
using heddle::set_memory_limit;
using heddle::set_wired_limit;

inline size_t get_array_buffer_size(const std::vector<array>& arrays) {
  return heddle::get_array_buffer_size(detail::in(arrays));
}

}  // namespace mlx::core
