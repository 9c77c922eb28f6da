// The rules of one op, with what stands in where it states none:
//   vjp    the op's, else that of its decomposition
//   jvp    the op's; a linear op's is the op itself; else that of its decomposition, else the
//          transpose of its vjp (which is linear in the cotangents, so transposing it once more
//          gives jvp)
//   vmap   the op's, else that of its decomposition
// An op without any is refused by name with std::invalid_argument.
#pragma once

#include "core/op.h"

namespace heddle {

// In results an empty Array stands for zero.
Arrays vjp_of(const Op& op, const Arrays& inputs, const Arrays& cotangents,
              const std::vector<int>& argnums, const Arrays& outputs);
Arrays jvp_of(const Op& op, const Arrays& inputs, const Arrays& tangents,
              const std::vector<int>& argnums, const Arrays& outputs);
Op::Batched vmap_of(const Op& op, const Arrays& inputs, const std::vector<int>& axes,
                    const Stream& stream);

}  // namespace heddle
