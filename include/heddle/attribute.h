// What an operation's attributes are outside of it: in files, receipts, other languages.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/dtype.h"
#include "heddle/shape.h"

namespace heddle {

// A single value, a shape, or a list of numbers. One of a few choices is a text.
using AttributeValue =
    std::variant<bool, int64_t, double, Dtype, std::string, Shape, std::vector<int64_t>>;

// By name, in the order in which the operation states them.
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

std::string to_string(const AttributeValue& value);  // "true", "0.5", "float32", "[0,1]"

}  // namespace heddle
