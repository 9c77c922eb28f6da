#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <ostream>

#include "core/node.h"
#include "heddle/array.h"

namespace heddle {
namespace {

std::atomic<int> precision{-1};

// An axis longer than this shows its first and last `edge` entries.
constexpr int64_t longest = 6;
constexpr int64_t edge = 3;

class Printer {
 public:
  Printer(const Array& a, const char* true_word, const char* false_word)
      : node_(*a.node()), true_word_(true_word), false_word_(false_word), precision_(precision) {}

  std::string text() && {
    out_ = "array(";
    if (!node_.shape.empty() && node_.shape[0] == 0) {
      out_ += "[]";
    } else {
      visit_dtype(node_.dtype, [&](auto tag) {
        nest(reinterpret_cast<const typename decltype(tag)::type*>(node_.data), 0);
      });
    }
    return std::move(out_) + fmt::format(", dtype={})", name_of(node_.dtype));
  }

 private:
  template <class T>
  void nest(const T* data, size_t depth) {
    const Shape& shape = node_.shape;
    if (depth == shape.size()) {
      value(*data);
      return;
    }
    bool last = depth + 1 == shape.size();
    // Rows of an array whose next axis is empty have nothing below them.
    bool empty = !last && shape[depth + 1] == 0;
    std::string separator = last ? ", " : ",\n" + std::string(depth + 7, ' ');
    int64_t n = shape[depth];
    out_ += '[';
    for (int64_t i = 0; i < n; i++) {
      if (i) out_ += separator;
      if (n > longest && i == edge) {
        out_ += "..." + separator;
        i = n - edge;
      }
      if (empty) {
        out_ += "[]";
      } else {
        nest(data + i * node_.strides[depth], depth + 1);
      }
    }
    out_ += ']';
  }

  template <class T>
  void value(T v) {
    if constexpr (std::is_same_v<T, bool>) {
      out_ += v ? true_word_ : false_word_;
    } else if constexpr (std::is_integral_v<T>) {
      out_ += std::to_string(v);
    } else if constexpr (std::is_same_v<T, complex64_t>) {
      value(v.real());
      if (v.imag() >= 0 || std::isnan(v.imag())) out_ += '+';
      value(v.imag());
      out_ += 'j';
    } else {
      // The sign of a NaN is not shown.
      double d = std::isnan(static_cast<double>(v)) ? std::abs(static_cast<double>(v))
                                                    : static_cast<double>(v);
      out_ += precision_ < 0 ? fmt::format("{:g}", d) : fmt::format("{:.{}f}", d, precision_);
    }
  }

  const Node& node_;
  const char* true_word_;
  const char* false_word_;
  int precision_;
  std::string out_;
};

}  // namespace

std::string to_string(const Array& a, const char* true_word, const char* false_word) {
  a.eval();
  return Printer(a, true_word, false_word).text();
}

std::string to_string(const Array& a) { return to_string(a, "true", "false"); }
std::ostream& operator<<(std::ostream& stream, const Array& a) { return stream << to_string(a); }

PrintOptions get_printoptions() { return {precision}; }
void set_printoptions(PrintOptions options) { precision = options.precision; }

}  // namespace heddle
