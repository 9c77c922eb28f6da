// Statistics and limits of the caching allocator. Bytes are those that arrays asked for, not the
// sizes of the blocks behind them. Every function is thread-safe; setters return the former value.
#pragma once

#include <cstddef>
#include <stdexcept>

#include "heddle/array.h"

namespace heddle {

// Memory that the system does not give. In Python both a MemoryError and a RuntimeError, which MLX
// raises.
class OutOfMemoryError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

size_t get_active_memory();  // bytes of live buffers
size_t get_peak_memory();    // greatest active memory seen at an allocation since the last reset
void reset_peak_memory();
size_t get_cache_memory();  // bytes of freed buffers that are kept for reuse
size_t get_memory_limit();
size_t set_memory_limit(size_t bytes);  // beyond it an allocation first empties the cache
size_t set_cache_limit(size_t bytes);   // 0 keeps nothing
size_t set_wired_limit(size_t bytes);   // a CPU wires nothing: always 0
void clear_cache();
// Bytes of the buffers behind the arrays, each counted once. Throws std::invalid_argument for one
// that is not evaluated.
size_t get_array_buffer_size(const Arrays& arrays);

}  // namespace heddle
