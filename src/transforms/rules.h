// The rules of one op, with what stands in where it states none:
//   vjp    the op's, else that of its decomposition
//   jvp    the op's; a linear op's is the op itself; else that of its decomposition, else the
//          transpose of its vjp (which is linear in the cotangents, so transposing it once more
//          gives jvp)
//   vmap   the op's; else what the types of its fields say (Op::with_batch): the batch in front of
//          all inputs; else that of its decomposition
// Rules run with their stream as the default one.
// An op without any is refused by name with std::invalid_argument.
#pragma once

#include "core/op.h"

namespace heddle {

// In results an empty Array stands for zero.
Arrays vjp_of(const Op& op, const Pull& p);
Arrays jvp_of(const Op& op, const Push& p);
Batched vmap_of(const Op& op, const Batch& b);

}  // namespace heddle
