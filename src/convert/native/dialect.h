// heddle's own dialect: every op that can be made from values is a call of its name with its
// fields, so that an op owes no row.
#pragma once

#include "convert/dialect.h"

namespace heddle::convert::native {

const Dialect& dialect();
// Of files of version 1, where MLX's primitives (mlxfn/) go before.
const Dialect& version_1();

}  // namespace heddle::convert::native
