// The rule of fusion_rules() for attention.
#pragma once

#include "transforms/rewrite.h"

namespace heddle {

// softmax(scale q k^T + mask) v in the forms that frameworks write: scaled before or after the
// product, masked by a sum or a choice, the softmax of halves taken in float32 or not, heads in
// front of rows or merged with the batch, key heads repeated for groups of query heads.
Array attention_of_parts(const Site& site, const Array& result);

}  // namespace heddle
