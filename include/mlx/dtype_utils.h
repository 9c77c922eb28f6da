// Code for the C++ type behind a dtype: each of these calls f with a type_identity of it.
//   dispatch_all_types(a.dtype(), [&](auto tag) {
//     using T = MLX_GET_TYPE(tag);
//     ...
//   });
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "mlx/dtype.h"

#define MLX_GET_TYPE(x) typename decltype(x)::type
#define MLX_GET_VALUE(x) decltype(x)::value

namespace mlx::core {

template <class T>
struct type_identity {
  using type = T;
};

inline const char* dtype_to_string(Dtype t) { return heddle::name_of(t).data(); }

namespace detail {

// MLX's C++ type of what heddle holds as T.
template <class T>
struct MlxType {
  using type = T;
};
template <>
struct MlxType<heddle::float16_t> {
  using type = float16_t;
};
template <>
struct MlxType<heddle::bfloat16_t> {
  using type = bfloat16_t;
};
template <>
struct MlxType<std::complex<float>> {
  using type = complex64_t;
};

// For the types that `accepts` names by their heddle dtype; std::invalid_argument for others.
template <class Accepts, class F>
void dispatch(Dtype t, Accepts, std::string_view tag, const char* kinds, F&& f) {
  heddle::visit_dtype(t, [&](auto held) {
    using T = typename decltype(held)::type;
    if constexpr (Accepts{}(heddle::dtype_of<T>)) {
      f(type_identity<typename MlxType<T>::type>{});
    } else {
      std::ostringstream message;
      message << tag << " Only " << kinds << " types supported but " << t << " was provided";
      throw std::invalid_argument(message.str());
    }
  });
}

}  // namespace detail

template <class F>
void dispatch_all_types(Dtype t, F&& f) {
  auto any = [](heddle::Dtype) { return true; };
  detail::dispatch(t, any, "", "", std::forward<F>(f));
}
// Throw std::invalid_argument, which begins with `tag`, for a dtype of another kind.
template <class F>
void dispatch_int_types(Dtype t, std::string_view tag, F&& f) {
  auto fits = [](heddle::Dtype held) { return heddle::is_integer(held); };
  detail::dispatch(t, fits, tag, "integer", std::forward<F>(f));
}
template <class F>
void dispatch_float_types(Dtype t, std::string_view tag, F&& f) {
  auto fits = [](heddle::Dtype held) { return heddle::is_floating(held); };
  detail::dispatch(t, fits, tag, "float", std::forward<F>(f));
}
template <class F>
void dispatch_inexact_types(Dtype t, std::string_view tag, F&& f) {
  auto fits = [](heddle::Dtype held) { return heddle::is_inexact(held); };
  detail::dispatch(t, fits, tag, "inexact (float/complex)", std::forward<F>(f));
}
template <class F>
void dispatch_int_float_types(Dtype t, std::string_view tag, F&& f) {
  auto fits = [](heddle::Dtype held) {
    return heddle::is_integer(held) || heddle::is_floating(held);
  };
  detail::dispatch(t, fits, tag, "integer and float", std::forward<F>(f));
}
template <class F>
void dispatch_real_types(Dtype t, std::string_view tag, F&& f) {
  auto fits = [](heddle::Dtype held) { return !heddle::is_complex(held); };
  detail::dispatch(t, fits, tag, "real", std::forward<F>(f));
}

}  // namespace mlx::core
