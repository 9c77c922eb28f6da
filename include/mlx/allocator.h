// Memory for the results of primitives.
#pragma once

#include "heddle/allocator.h"

namespace mlx::core::allocator {

using heddle::allocator::Allocator;
using heddle::allocator::allocator;
using heddle::allocator::Buffer;
using heddle::allocator::Data;
using heddle::allocator::Deleter;
using heddle::allocator::make_buffer;
using heddle::allocator::malloc;
using heddle::allocator::release;

// Memory of others is used where it is.
inline bool can_reuse_alien_buffer(void*) { return true; }

}  // namespace mlx::core::allocator
