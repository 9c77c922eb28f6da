// MLX's macros for classes of primitives, and its own primitives: they are what array::primitive()
// gives for the operations of a graph, and can be made by hand. Their rules are those of the
// operations.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "mlx/primitive.h"

#define DEFINE_VMAP()                                                                    \
  std::pair<std::vector<array>, std::vector<int>> vmap(const std::vector<array>& inputs, \
                                                       const std::vector<int>& axes) override;

#define DEFINE_GRADS()                                                                            \
  std::vector<array> jvp(const std::vector<array>& primals, const std::vector<array>& tangents,   \
                         const std::vector<int>& argnums) override;                               \
  std::vector<array> vjp(const std::vector<array>& primals, const std::vector<array>& cotangents, \
                         const std::vector<int>& argnums, const std::vector<array>& outputs)      \
      override;

#define DEFINE_NAME(PRIMITIVE) \
  const char* name() const override { return #PRIMITIVE; }

#define DEFINE_DEFAULT_IS_EQUIVALENT() \
  bool is_equivalent(const Primitive&) const override { return true; }

#define DEFINE_INPUT_OUTPUT_SHAPE()                                             \
  std::vector<Shape> output_shapes(const std::vector<array>& inputs) override { \
    return {inputs[0].shape()};                                                 \
  }

namespace mlx::core {

enum class QuantizationMode { Affine, Mxfp4, Mxfp8, Nvfp4 };

namespace detail {

inline constexpr std::array<const char*, 4> quantization_modes{"affine", "mxfp4", "mxfp8", "nvfp4"};

// An attribute of a primitive as files hold it, and back.
template <class T>
heddle::ExportValue attribute(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value;
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<int64_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_same_v<T, Dtype>) {
    return heddle::Dtype(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, Shape>) {
    return in(value);
  } else {
    return std::vector<int64_t>(value.begin(), value.end());
  }
}
template <class T>
T value_of(const heddle::ExportValue& attribute) {
  if constexpr (std::is_same_v<T, bool>) {
    return std::get<bool>(attribute);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<T>(std::get<int64_t>(attribute));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(std::get<double>(attribute));
  } else if constexpr (std::is_same_v<T, Dtype>) {
    return std::get<heddle::Dtype>(attribute);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::get<std::string>(attribute);
  } else if constexpr (std::is_same_v<T, Shape>) {
    const auto& shape = std::get<heddle::Shape>(attribute);
    return T(shape.begin(), shape.end());
  } else {
    const auto& list = std::get<std::vector<int64_t>>(attribute);
    return T(list.begin(), list.end());
  }
}

// A name as an argument of a template.
template <size_t N>
struct Text {
  char letters[N];
  constexpr Text(const char (&text)[N]) { std::copy_n(text, N, letters); }
};

// One of MLX's primitives: its kind, as files name it, and what it is made of.
template <Text Kind, class... State>
class BuiltIn : public EnginePrimitive {
 public:
  static constexpr const char* kind = Kind.letters;

  explicit BuiltIn(Stream stream, State... state)
      : EnginePrimitive(
            heddle::BuiltInPrimitive::make(kind, {attribute<State>(state)...}, stream)) {}
  explicit BuiltIn(const std::shared_ptr<heddle::BuiltInPrimitive>& operation)
      : EnginePrimitive(operation) {}

  // One value as it is, two as a pair, more as a tuple.
  auto state() const { return unpack(std::index_sequence_for<State...>{}); }

 private:
  template <size_t... I>
  auto unpack(std::index_sequence<I...>) const {
    const auto& a = operation().attributes();
    if constexpr (sizeof...(I) == 1) {
      return (value_of<State>(a.at(I)), ...);
    } else if constexpr (sizeof...(I) == 2) {
      return std::make_pair(value_of<State>(a.at(I))...);
    } else {
      return std::make_tuple(value_of<State>(a.at(I))...);
    }
  }
};

template <class... Classes>
bool show_as() {
  ((class_of_kind()[Classes::kind] = [](const std::shared_ptr<heddle::BuiltInPrimitive>& o)
        -> std::shared_ptr<Primitive> { return std::make_shared<Classes>(o); }),
   ...);
  return true;
}

}  // namespace detail

inline std::string quantization_mode_to_string(QuantizationMode mode) {
  return detail::quantization_modes.at(static_cast<size_t>(mode));
}
inline QuantizationMode string_to_quantization_mode(const std::string& mode,
                                                    std::string_view who = "") {
  for (size_t i = 0; i < detail::quantization_modes.size(); i++) {
    if (mode == detail::quantization_modes[i]) return static_cast<QuantizationMode>(i);
  }
  throw std::invalid_argument(std::string(who) + " There is no quantization mode \"" + mode +
                              "\".");
}

// --- the classes, each with what it is made of --------------------------------------------------

using Abs = detail::BuiltIn<"Abs">;
using Add = detail::BuiltIn<"Add">;
using AddMM = detail::BuiltIn<"AddMM", float, float>;
using Arange = detail::BuiltIn<"Arange", double, double, double>;
using ArcCos = detail::BuiltIn<"ArcCos">;
using ArcCosh = detail::BuiltIn<"ArcCosh">;
using ArcSin = detail::BuiltIn<"ArcSin">;
using ArcSinh = detail::BuiltIn<"ArcSinh">;
using ArcTan = detail::BuiltIn<"ArcTan">;
using ArcTan2 = detail::BuiltIn<"ArcTan2">;
using ArcTanh = detail::BuiltIn<"ArcTanh">;
using ArgPartition = detail::BuiltIn<"ArgPartition", int, int>;

struct ArgReduceCases {
  enum ReduceType { ArgMin, ArgMax };
};
class ArgReduce : public ArgReduceCases,
                  public detail::BuiltIn<"ArgReduce", ArgReduceCases::ReduceType, int> {
 public:
  using BuiltIn::BuiltIn;
};
using ArgSort = detail::BuiltIn<"ArgSort", int>;
using AsType = detail::BuiltIn<"AsType", Dtype>;
using AsStrided = detail::BuiltIn<"AsStrided", Shape, Strides, size_t>;

struct BitwiseBinaryCases {
  enum Op { And, Or, Xor, LeftShift, RightShift };
};
class BitwiseBinary : public BitwiseBinaryCases,
                      public detail::BuiltIn<"BitwiseBinary", BitwiseBinaryCases::Op> {
 public:
  using BuiltIn::BuiltIn;
};
using BitwiseInvert = detail::BuiltIn<"BitwiseInvert">;
using BlockMaskedMM = detail::BuiltIn<"BlockMaskedMM", int>;
using Broadcast = detail::BuiltIn<"Broadcast", Shape>;
class BroadcastAxes : public detail::BuiltIn<"BroadcastAxes", std::vector<int>> {
 public:
  using BuiltIn::BuiltIn;
  explicit BroadcastAxes(Stream stream, std::vector<int> ignored = {})
      : BuiltIn(stream, std::move(ignored)) {}
};
using Ceil = detail::BuiltIn<"Ceil">;
using Cholesky = detail::BuiltIn<"Cholesky", bool>;
using Concatenate = detail::BuiltIn<"Concatenate", int>;
using Conjugate = detail::BuiltIn<"Conjugate">;
using Contiguous = detail::BuiltIn<"Contiguous", bool>;
class Convolution
    : public detail::BuiltIn<"Convolution", std::vector<int>, std::vector<int>, std::vector<int>,
                             std::vector<int>, std::vector<int>, int, bool> {
 public:
  using BuiltIn::BuiltIn;
  explicit Convolution(Stream stream, const std::vector<int>& strides,
                       const std::vector<int>& padding_low, const std::vector<int>& padding_high,
                       const std::vector<int>& kernel_dilation,
                       const std::vector<int>& input_dilation, int groups = 1, bool flip = false)
      : BuiltIn(stream, strides, padding_low, padding_high, kernel_dilation, input_dilation, groups,
                flip) {}
};
using Copy = detail::BuiltIn<"Copy">;
using Cos = detail::BuiltIn<"Cos">;
using Cosh = detail::BuiltIn<"Cosh">;
using Depends = detail::BuiltIn<"Depends">;
using Divide = detail::BuiltIn<"Divide">;
using DivMod = detail::BuiltIn<"DivMod">;
using DynamicSlice = detail::BuiltIn<"DynamicSlice", std::vector<int>, Shape>;
using DynamicSliceUpdate = detail::BuiltIn<"DynamicSliceUpdate", std::vector<int>>;
using Eig = detail::BuiltIn<"Eig", bool>;
using Eigh = detail::BuiltIn<"Eigh", std::string, bool>;
class Equal : public detail::BuiltIn<"Equal", bool> {
 public:
  using BuiltIn::BuiltIn;
  explicit Equal(Stream stream, bool equal_nan = false) : BuiltIn(stream, equal_nan) {}
};
using Erf = detail::BuiltIn<"Erf">;
using ErfInv = detail::BuiltIn<"ErfInv">;
using Exp = detail::BuiltIn<"Exp">;
using ExpandDims = detail::BuiltIn<"ExpandDims", std::vector<int>>;
using Expm1 = detail::BuiltIn<"Expm1">;
class FFT : public detail::BuiltIn<"FFT", std::vector<size_t>, bool, bool, bool> {
 public:
  using BuiltIn::BuiltIn;
  explicit FFT(Stream stream, const std::vector<size_t>& axes, bool inverse, bool real,
               bool odd_out = false)
      : BuiltIn(stream, axes, inverse, real, odd_out) {}
};
using Flatten = detail::BuiltIn<"Flatten", int, int>;
using Floor = detail::BuiltIn<"Floor">;
using FloorDivide = detail::BuiltIn<"FloorDivide">;
using Full = detail::BuiltIn<"Full">;
using Gather = detail::BuiltIn<"Gather", std::vector<int>, Shape>;
using GatherAxis = detail::BuiltIn<"GatherAxis", int>;
class GatherMM : public detail::BuiltIn<"GatherMM", bool, bool> {
 public:
  using BuiltIn::BuiltIn;
  explicit GatherMM(Stream stream, bool left_sorted = false, bool right_sorted = false)
      : BuiltIn(stream, left_sorted, right_sorted) {}
};
using GatherQMM = detail::BuiltIn<"GatherQMM", int, int, QuantizationMode, bool, bool, bool>;
using Greater = detail::BuiltIn<"Greater">;
using GreaterEqual = detail::BuiltIn<"GreaterEqual">;
using Hadamard = detail::BuiltIn<"Hadamard", float>;
using Imag = detail::BuiltIn<"Imag">;
using Inverse = detail::BuiltIn<"Inverse", bool, bool>;
using Less = detail::BuiltIn<"Less">;
using LessEqual = detail::BuiltIn<"LessEqual">;

struct LogCases {
  enum Base { two, ten, e };
};
class Log : public LogCases, public detail::BuiltIn<"Log", LogCases::Base> {
 public:
  using BuiltIn::BuiltIn;
};
using Log1p = detail::BuiltIn<"Log1p">;
using LogAddExp = detail::BuiltIn<"LogAddExp">;
using LogicalAnd = detail::BuiltIn<"LogicalAnd">;
using LogicalNot = detail::BuiltIn<"LogicalNot">;
using LogicalOr = detail::BuiltIn<"LogicalOr">;
using LogSumExp = detail::BuiltIn<"LogSumExp">;
using LUF = detail::BuiltIn<"LUF">;
using MaskedScatter = detail::BuiltIn<"MaskedScatter">;
using Matmul = detail::BuiltIn<"Matmul">;
using Maximum = detail::BuiltIn<"Maximum">;
using Minimum = detail::BuiltIn<"Minimum">;
using Multiply = detail::BuiltIn<"Multiply">;
using Negative = detail::BuiltIn<"Negative">;
using NotEqual = detail::BuiltIn<"NotEqual">;
using NumberOfElements = detail::BuiltIn<"NumberOfElements", std::vector<int>, bool, Dtype>;
using Pad = detail::BuiltIn<"Pad", std::vector<int>, Shape, Shape>;
using Partition = detail::BuiltIn<"Partition", int, int>;
using Power = detail::BuiltIn<"Power">;
using QRF = detail::BuiltIn<"QRF">;
using QuantizedMatmul = detail::BuiltIn<"QuantizedMatmul", int, int, QuantizationMode, bool>;
using RandomBits = detail::BuiltIn<"RandomBits", Shape, int>;
using Real = detail::BuiltIn<"Real">;

struct ReduceCases {
  enum ReduceType { And, Or, Sum, Prod, Min, Max };
};
class Reduce : public ReduceCases,
               public detail::BuiltIn<"Reduce", ReduceCases::ReduceType, std::vector<int>> {
 public:
  using BuiltIn::BuiltIn;
};
using Remainder = detail::BuiltIn<"Remainder">;
using Reshape = detail::BuiltIn<"Reshape", Shape>;
using Round = detail::BuiltIn<"Round">;

struct ScanCases {
  enum ReduceType { Max, Min, Sum, Prod, LogAddExp };
};
class Scan : public ScanCases,
             public detail::BuiltIn<"Scan", ScanCases::ReduceType, int, bool, bool> {
 public:
  using BuiltIn::BuiltIn;
};

struct ScatterCases {
  enum ReduceType { Max, Min, Sum, Prod, None };
};
class Scatter : public ScatterCases,
                public detail::BuiltIn<"Scatter", ScatterCases::ReduceType, std::vector<int>> {
 public:
  using BuiltIn::BuiltIn;
};

struct ScatterAxisCases {
  enum ReduceType { Sum, None };
};
class ScatterAxis : public ScatterAxisCases,
                    public detail::BuiltIn<"ScatterAxis", ScatterAxisCases::ReduceType, int> {
 public:
  using BuiltIn::BuiltIn;
};
using SearchSorted = detail::BuiltIn<"SearchSorted", bool>;
using SegmentedMM = detail::BuiltIn<"SegmentedMM">;
using Select = detail::BuiltIn<"Select">;
using Sigmoid = detail::BuiltIn<"Sigmoid">;
using Sign = detail::BuiltIn<"Sign">;
using Sin = detail::BuiltIn<"Sin">;
using Sinh = detail::BuiltIn<"Sinh">;
using Slice = detail::BuiltIn<"Slice", Shape, Shape, Shape>;

struct SliceUpdateCases {
  enum ReduceType { Max, Min, Sum, Prod, None };
};
class SliceUpdate
    : public SliceUpdateCases,
      public detail::BuiltIn<"SliceUpdate", SliceUpdateCases::ReduceType, Shape, Shape, Shape> {
 public:
  using BuiltIn::BuiltIn;
};
using Softmax = detail::BuiltIn<"Softmax", bool>;
using Sort = detail::BuiltIn<"Sort", int>;
using Split = detail::BuiltIn<"Split", Shape, int>;
class Sqrt : public detail::BuiltIn<"Sqrt", bool> {
 public:
  using BuiltIn::BuiltIn;
  explicit Sqrt(Stream stream, bool reciprocal = false) : BuiltIn(stream, reciprocal) {}
};
using Square = detail::BuiltIn<"Square">;
using Squeeze = detail::BuiltIn<"Squeeze", std::vector<int>>;
using StopGradient = detail::BuiltIn<"StopGradient">;
using Subtract = detail::BuiltIn<"Subtract">;
using SVD = detail::BuiltIn<"SVD", bool>;
using Tan = detail::BuiltIn<"Tan">;
using Tanh = detail::BuiltIn<"Tanh">;
using Transpose = detail::BuiltIn<"Transpose", std::vector<int>>;
using Unflatten = detail::BuiltIn<"Unflatten", int, Shape>;
using View = detail::BuiltIn<"View", Dtype>;

namespace detail {

inline const bool all_shown =
    show_as<Abs, Add, AddMM, Arange, ArcCos, ArcCosh, ArcSin, ArcSinh, ArcTan, ArcTan2, ArcTanh,
            ArgPartition, ArgReduce, ArgSort, AsType, AsStrided, BitwiseBinary, BitwiseInvert,
            BlockMaskedMM, Broadcast, BroadcastAxes, Ceil, Cholesky, Concatenate, Conjugate,
            Contiguous, Convolution, Copy, Cos, Cosh, Depends, Divide, DivMod, DynamicSlice,
            DynamicSliceUpdate, Eig, Eigh, Equal, Erf, ErfInv, Exp, ExpandDims, Expm1, FFT, Flatten,
            Floor, FloorDivide, Full, Gather, GatherAxis, GatherMM, GatherQMM, Greater,
            GreaterEqual, Hadamard, Imag, Inverse, Less, LessEqual, Log, Log1p, LogAddExp,
            LogicalAnd, LogicalNot, LogicalOr, LogSumExp, LUF, MaskedScatter, Matmul, Maximum,
            Minimum, Multiply, Negative, NotEqual, NumberOfElements, Pad, Partition, Power, QRF,
            QuantizedMatmul, RandomBits, Real, Reduce, Remainder, Reshape, Round, Scan, Scatter,
            ScatterAxis, SearchSorted, SegmentedMM, Select, Sigmoid, Sign, Sin, Sinh, Slice,
            SliceUpdate, Softmax, Sort, Split, Sqrt, Square, Squeeze, StopGradient, Subtract, SVD,
            Tan, Tanh, Transpose, Unflatten, View>();

}  // namespace detail

// --- what heddle's graphs do not have -----------------------------------------------------------

// heddle fuses when it evaluates: no node stands for fused ones.
class Compiled {
 public:
  template <class... T>
  explicit Compiled(T&&...) {
    static_assert(sizeof...(T) > 999, "heddle fuses when it evaluates: no node stands for others");
  }
};
class CustomTransforms {
 public:
  template <class... T>
  explicit CustomTransforms(T&&...) {
    static_assert(sizeof...(T) > 999, "make it by custom_function()");
  }
};
class Load {
 public:
  template <class... T>
  explicit Load(T&&...) {
    static_assert(sizeof...(T) > 999, "make it by load()");
  }
};

}  // namespace mlx::core
