// Types of results, streams for a scope, printing.
#pragma once

#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "heddle/errors.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/shape.h"
#include "heddle/type_info.h"
#include "mlx/array.h"
#include "mlx/stream.h"

namespace mlx::core {

// Makes a stream and its device the default ones of a scope.
struct StreamContext {
 public:
  // Throws std::runtime_error if neither is given.
  StreamContext(StreamOrDevice s)
      : stream_(default_stream(default_device())), owner_(std::this_thread::get_id()) {
    if (std::holds_alternative<std::monostate>(s)) {
      throw std::runtime_error("[StreamContext] A stream or a device must be given.");
    }
    set(to_stream(s));
  }
  StreamContext(const StreamContext&) = delete;
  StreamContext& operator=(const StreamContext&) = delete;
  // Throws std::runtime_error on another thread than the one that made it.
  ~StreamContext() noexcept(false) {
    if (std::this_thread::get_id() != owner_) {
      throw std::runtime_error("[StreamContext] Destroyed by another thread than made it.");
    }
    set(stream_);
  }

 private:
  static void set(const Stream& s) {
    set_default_device(s.device);
    set_default_stream(s);
  }
  Stream stream_;
  std::thread::id owner_;
};

struct PrintOptions {
  int precision{-1};  // digits after the point; -1: six significant digits
};

// How arrays are printed, and single values as their elements.
struct PrintFormatter {
  void print(std::ostream& stream, bool value) const {
    if (capitalize_bool) stream << (value ? "True" : "False");
    else stream << (value ? "true" : "false");
  }
  template <class T>
    requires(std::is_arithmetic_v<T> || detail::AnyHalf<T> || std::is_same_v<T, complex64_t>)
  void print(std::ostream& stream, T value) const { stream << value; }

  bool capitalize_bool{false};
  PrintOptions format_options;
};
inline PrintFormatter& get_global_formatter() {
  static PrintFormatter formatter;
  return formatter;
}
inline void set_printoptions(PrintOptions options) {
  get_global_formatter().format_options = options;
}
inline std::ostream& operator<<(std::ostream& stream, const array& a) {
  const PrintFormatter& f = get_global_formatter();
  heddle::set_printoptions({f.format_options.precision});
  return stream << heddle::to_string(a, f.capitalize_bool ? "True" : "true",
                                     f.capitalize_bool ? "False" : "false");
}
template <class T, class A>
std::ostream& operator<<(std::ostream& stream, const std::vector<T, A>& values) {
  const char* separator = "(";
  for (const T& v : values) {
    stream << separator << v;
    separator = ",";
  }
  return stream << (values.empty() ? "()" : ")");
}

struct finfo : heddle::finfo {
  explicit finfo(Dtype t) : heddle::finfo(t), dtype(heddle::finfo::dtype) {}
  Dtype dtype;
};
struct iinfo : heddle::iinfo {
  explicit iinfo(Dtype t) : heddle::iinfo(t), dtype(heddle::iinfo::dtype) {}
  Dtype dtype;
};

inline Dtype result_type(const array& a, const array& b) {
  return promote_types(a.dtype(), b.dtype());
}
inline Dtype result_type(const array& a, const array& b, const array& c) {
  return promote_types(result_type(a, b), c.dtype());
}
inline Dtype result_type(const std::vector<array>& arrays) {
  Dtype type = bool_;
  for (const array& a : arrays) type = promote_types(type, a.dtype());
  return type;
}

inline Shape broadcast_shapes(const Shape& a, const Shape& b) {
  heddle::Shape common = heddle::broadcast_shapes({detail::in(a), detail::in(b)});
  return {common.begin(), common.end()};
}

// A size as one of a shape. Throws std::overflow_error for one beyond 32 bits.
template <class T>
ShapeElem safe_cast(T dim, std::string_view op = "") {
  auto size = static_cast<int64_t>(dim);
  if (size < std::numeric_limits<ShapeElem>::min() ||
      size > std::numeric_limits<ShapeElem>::max()) {
    throw std::overflow_error((op.empty() ? "" : "[" + std::string(op) + "] ") +
                              "Shape dimension " + std::to_string(size) +
                              " is outside the supported range of 32-bit integers.");
  }
  return static_cast<ShapeElem>(size);
}

// The axis counted from the front. Throws std::out_of_range for one that is not there.
inline int normalize_axis_index(int axis, int ndim, const std::string& prefix = "") {
  int counted = axis < 0 ? axis + ndim : axis;
  if (counted < 0 || counted >= ndim) {
    throw heddle::AxisError(prefix + "Axis " + std::to_string(axis) +
                            " is out of bounds for array with " + std::to_string(ndim) +
                            " dimensions.");
  }
  return counted;
}

namespace detail {

// `result` in memory of its own where it has as many elements as `operand`, whose memory heddle
// would hand on: what a program writes into one through data() is not to reach the other.
inline array apart(heddle::Array result, const array& operand, const StreamOrDevice& s) {
  if (result.size() != static_cast<int64_t>(operand.size())) return result;
  return heddle::where(heddle::Array(true), result, result, in(s));
}

// Calls of which MLX says std::invalid_argument for an axis that is not there, too.
template <class F>
auto as_invalid_argument(F&& call) {
  try {
    return call();
  } catch (const heddle::AxisError& error) {
    throw std::invalid_argument(error.what());
  }
}

}  // namespace detail

inline bool is_power_of_2(int n) { return n != 0 && (n & (n - 1)) == 0; }
inline int next_power_of_2(int n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

// Whether the calling thread is the first that asked.
inline bool is_main_thread() {
  static const std::thread::id first = std::this_thread::get_id();
  return std::this_thread::get_id() == first;
}

// Settings by variables of the environment. Those below steer other engines; here they are only
// read.
namespace env {

inline int get_var(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : otherwise;
}
inline std::string get_var(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}
inline int bfs_max_width() { return get_var("MLX_BFS_MAX_WIDTH", 20); }
inline int max_ops_per_buffer(int otherwise) {
  return get_var("MLX_MAX_OPS_PER_BUFFER", otherwise);
}
inline int max_mb_per_buffer(int otherwise) { return get_var("MLX_MAX_MB_PER_BUFFER", otherwise); }
inline int residency_set_max_pct() { return get_var("MLX_RESIDENCY_SET_MAX_PCT", 5); }
inline bool residency_debug() { return get_var("MLX_RESIDENCY_DEBUG", 0); }
inline bool metal_fast_synch() { return get_var("MLX_METAL_FAST_SYNCH", 0); }
inline bool enable_tf32() { return get_var("MLX_ENABLE_TF32", 1); }
inline int nccl_timeout(int otherwise) { return get_var("MLX_NCCL_TIMEOUT", otherwise); }
inline const std::string& metal_gpu_arch() {
  static const std::string name = get_var("MLX_METAL_GPU_ARCH", "");
  return name;
}

}  // namespace env

}  // namespace mlx::core
