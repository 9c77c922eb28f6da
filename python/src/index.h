// Index expressions of Python: x[...], x[...] = v, x.at[...].
#pragma once

#include "bind.h"
#include "ops/index_expression.h"

namespace heddle::python {

// Parses what stands between the brackets. Throws ValueError for what is no index. Truth values and
// masks of numpy are taken only where something is assigned.
IndexItems parse_index(nb::handle index, bool assigned);

Array get_item(const Array& a, nb::handle index);
void set_item(Array& a, nb::handle index, nb::handle value);

}  // namespace heddle::python
